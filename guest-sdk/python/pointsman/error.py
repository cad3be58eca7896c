"""Why a router gives no answer."""


class Error(Exception):
    """Why a router gives no answer. Its text goes to the tenant's log, never to the client.

    Any other exception does as well; of those the log shows the type, too. Of both it shows the author's lines that
    they passed.
    """
