import unittest

from pointsman import hash

NODES = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"]
KEYS = [f"visitor-{n}" for n in range(2_000)]


class Hash(unittest.TestCase):
    # Computed with another implementation. They may never change: users' canaries and sessions hang on them.
    def test_results_are_those_of_every_other_version(self) -> None:
        self.assertEqual(hash.of(""), 0xEF46_DB37_51D8_E999)
        self.assertEqual(hash.of("a"), 0xD24E_C4F1_A98C_6E5B)
        self.assertEqual(hash.of("visitor-1"), 0xB7DB_4EB3_B829_E88D)
        self.assertEqual(hash.percent("visitor-1"), 71.81901158111611)
        self.assertEqual(hash.rank("visitor-1", NODES), [NODES[0], NODES[3], NODES[1], NODES[2]])

    def test_every_length_is_hashed(self) -> None:
        expected = {
            3: 0xE5C7_BB45_33BC_65DD,
            4: 0xFFCE_D860_4453_CC1E,
            8: 0x884A_1736_14B8_1B8D,
            31: 0xC346_D2B5_9B4D_8EE1,
            32: 0xCBF5_9C51_16FF_32B4,
            33: 0x0C53_5D1A_CAFB_8EAD,
            63: 0xE26A_A9E2_A95F_8E4F,
            100: 0x6AC1_E580_3216_6597,
        }
        for size, result in expected.items():
            self.assertEqual(hash.of(bytes(range(size))), result, size)

    def test_a_tenth_of_the_keys_is_below_ten_percent(self) -> None:
        below = sum(hash.percent(key) < 10 for key in KEYS)
        self.assertTrue(150 < below < 250, below)
        self.assertTrue(all(0 <= hash.percent(key) < 100 for key in KEYS))

    def test_only_the_keys_of_a_lost_node_move(self) -> None:
        for key in KEYS:
            before, after = hash.pick(key, NODES), hash.pick(key, NODES[:3])
            self.assertTrue(after == before or before == NODES[3], key)

    def test_the_order_of_the_nodes_does_not_matter(self) -> None:
        for key in KEYS:
            self.assertEqual(hash.rank(key, NODES), hash.rank(key, reversed(NODES)))
            self.assertEqual(hash.rank(key, NODES)[0], hash.pick(key, NODES))

    def test_no_node_is_picked_without_nodes(self) -> None:
        self.assertIsNone(hash.pick("visitor-1", []))

    def test_a_lone_surrogate_is_a_key_like_any_other(self) -> None:
        self.assertEqual(hash.of("\ud800"), hash.of("?"))
