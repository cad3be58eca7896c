// XXH64, and what builds on it.

#include "internal.h"

#include <string.h>

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu
#define P3 0x165667b19e3779f9u
#define P4 0x85ebca77c2b2ae63u
#define P5 0x27d4eb2f165667c5u

static uint64_t rotated(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

// The algorithm reads little-endian numbers, which is what WebAssembly and every machine that runs the tests has.
static uint64_t read64(const uint8_t *bytes) {
    uint64_t x;
    memcpy(&x, bytes, sizeof x);
    return x;
}

static uint32_t read32(const uint8_t *bytes) {
    uint32_t x;
    memcpy(&x, bytes, sizeof x);
    return x;
}

static uint64_t round64(uint64_t lane, uint64_t input) {
    return rotated(lane + input * P2, 31) * P1;
}

static uint64_t xxh64(pm_text_t text, uint64_t seed) {
    const uint8_t *at = text.ptr;
    size_t left = text.len;
    uint64_t hash = seed + P5;
    if (left >= 32) {
        uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
        for (; left >= 32; left -= 32) {
            for (int i = 0; i < 4; i++, at += 8) lanes[i] = round64(lanes[i], read64(at));
        }
        hash = rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18);
        for (int i = 0; i < 4; i++) hash = (hash ^ round64(0, lanes[i])) * P1 + P4;
    }
    hash += text.len;
    for (; left >= 8; left -= 8, at += 8) hash = rotated(hash ^ round64(0, read64(at)), 27) * P1 + P4;
    for (; left >= 4; left -= 4, at += 4) hash = rotated(hash ^ read32(at) * P1, 23) * P2 + P3;
    for (; left; left--, at++) hash = rotated(hash ^ *at * P5, 11) * P1;
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}

uint64_t pm_hash(pm_text_t key) {
    return xxh64(key, 0);
}

double pm_percent(pm_text_t key) {
    // The upper 53 bits: a double holds them exactly.
    return (double)(pm_hash(key) >> 11) / (double)((uint64_t)1 << 53) * 100.0;
}

// A node draws a number for the key; the name itself decides between equal ones.
typedef struct {
    uint64_t number;
    pm_text_t node;
} weight_t;

static weight_t weight(uint64_t key, pm_text_t node) {
    return (weight_t){xxh64(node, key), node};
}

static bool exceeds(weight_t a, weight_t b) {
    if (a.number != b.number) return a.number > b.number;
    int order = memcmp(a.node.ptr, b.node.ptr, a.node.len < b.node.len ? a.node.len : b.node.len);
    return order ? order > 0 : a.node.len > b.node.len;
}

pm_text_t pm_pick(pm_text_t key, pm_texts_t nodes) {
    if (!nodes.len) return pm_text(NULL);
    uint64_t hash = pm_hash(key);
    weight_t best = weight(hash, nodes.ptr[0]);
    for (size_t i = 1; i < nodes.len; i++) {
        weight_t other = weight(hash, nodes.ptr[i]);
        if (exceeds(other, best)) best = other;
    }
    return best.node;
}

pm_texts_t pm_rank(pm_text_t key, pm_texts_t nodes) {
    uint64_t hash = pm_hash(key);
    weight_t *weights = pm_alloc(nodes.len * sizeof *weights);
    for (size_t i = 0; i < nodes.len; i++) {
        // Upstreams are few: sorted as they come.
        weight_t own = weight(hash, nodes.ptr[i]);
        size_t place = i;
        for (; place && exceeds(own, weights[place - 1]); place--) weights[place] = weights[place - 1];
        weights[place] = own;
    }
    pm_texts_t ranked = {pm_alloc(nodes.len * sizeof *ranked.ptr), nodes.len};
    for (size_t i = 0; i < nodes.len; i++) ranked.ptr[i] = weights[i].node;
    return ranked;
}
