"""Table of a router that fails."""

def find(table: list[tuple[str, str]], wanted: str) -> str:
    addresses = [address for path, address in table if path == wanted]
    return addresses[0]
