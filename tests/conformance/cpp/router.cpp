// The conformance job (../README.md) in C++.

#include <pointsman_configure.hpp>

#include "job.hpp"

using namespace pointsman;

// The values that `configure` stored.
static std::vector<std::string_view> nodes;
static double share;
static size_t config_bytes;
static int configure_calls;

Result<void> configure(std::string_view config) {
    configure_calls++;
    config_bytes = config.size();
    if (config.find("\"refuse\"") != config.npos) return Error("refused as told");
    auto configured = config::texts("/upstreams");
    if (!configured) return configured.error();
    if (configured->size() != 3) return Error("config: `/upstreams` are not three");
    auto percent = config::number("/percent");
    if (!percent) return percent.error();
    nodes = *configured;
    share = *percent;
    return {};
}

static std::string hex(std::string_view bytes) {
    std::string hex;
    for (unsigned char byte : bytes) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

static Answer echo_part(const Request &request) {
    Lines lines;
    add_line(lines, "method ", request.method());
    add_line(lines, "scheme ", request.scheme());
    add_line(lines, "authority ", request.authority());
    add_line(lines, "host ", request.host());
    add_line(lines, "path ", request.path());
    for (auto segment : request.path_segments()) add_line(lines, "segment ", segment);
    add_line(lines, "query ", request.query().value_or("-"));
    for (auto param : request.query_params()) add_line(lines, "param ", param.name, "=", param.value);
    add_line(lines, "client-ip ", request.client_ip());
    add_line(lines, "listener ", request.listener());
    if (auto tls = request.tls()) {
        auto cert = tls->client_cert_sha256 ? hex(*tls->client_cert_sha256) : "-";
        add_line(lines, "tls ", tls->sni.value_or("-"), " ", tls->version, " ", tls->cipher, " ", cert);
    } else {
        add_line(lines, "tls -");
    }
    for (auto header : request.headers()) add_line(lines, "header ", header.name, ":", header.value);
    for (auto cookie : request.cookies()) add_line(lines, "cookie ", cookie.name, "=", cookie.value);

    auto response = plain(lines);
    for (auto value : request.header_values("x-echo")) response.header("x-echoed", value);
    if (auto first = request.header_bytes("x-echo")) response.header("x-first", *first);
    if (auto text = request.header("x-echo")) response.header("x-text", *text);
    return response;
}

static Answer attempts_part(const Request &request) {
    Lines lines;
    for (const Attempt &a : request.attempts()) {
        auto status = a.status ? std::to_string(*a.status) : "-";
        auto reused = a.reused_connection ? "reused" : "new";
        auto sent = a.request_sent ? "sent" : "unsent";
        add_line(lines, a.number, " ", a.address, " ", a.stage, " ", a.failure, " ", status, " ", reused, " ", sent, " ",
                 a.elapsed.count(), " ", a.detail);
    }
    return plain(lines);
}

static Answer failover_part(const Request &request) {
    auto failed = request.attempts();
    if (!failed.empty()) log::warn(failed.back().address, " failed: ", failed.back().failure);
    if (failed.size() < nodes.size()) return Route::to(Peer::http(nodes[failed.size()])).on_status({502, 503});
    return Response(503).text("no upstream is left\n").header("retry-after", "30");
}

static Answer canary_part(const Request &request) {
    auto session = request.cookie("session");
    bool canary = hash::percent(session ? *session : request.client_ip()) < share;
    return Route::to(Peer::http(nodes[canary])).note(canary ? "canary" : "stable");
}

static Answer hash_part(const Request &request) {
    Lines lines;
    for (auto param : request.query_params()) {
        if (param.name != "key") continue;
        auto hash = __builtin_bswap64(hash::of(param.value));
        auto digits = hex({reinterpret_cast<const char *>(&hash), sizeof hash});
        auto rank = hash::rank(param.value, nodes);
        auto permille = static_cast<int>(hash::percent(param.value) * 10);
        add_line(lines, digits, " ", permille, " ", rank[0], ",", rank[1], ",", rank[2]);
    }
    return plain(lines);
}

static Answer config_part(const Request &request) {
    Lines lines;
    add_line(lines, config::json());
    for (auto [name, pointer] : request.query_params()) {
        if (name != "pointer") continue;
        add_line(lines, config::get(pointer).value_or("-"), " ", config::get_text(pointer).value_or("-"));
    }
    return plain(lines);
}

static void add_upstream(Lines &lines, const upstreams::Upstream &upstream) {
    auto latency = upstream.latency ? std::to_string(upstream.latency->count()) : "-";
    add_line(lines, upstream.address, " ", upstream.health, " ", upstream.in_flight, " ", latency, " ",
             upstream.failures);
}

static Answer upstreams_part(const Request &request) {
    Lines lines;
    for (auto param : request.query_params()) {
        if (param.name == "get") add_upstream(lines, upstreams::get(param.value));
        if (param.name != "group") continue;
        auto members = upstreams::group(param.value);
        if (!members) add_line(lines, "no group ", param.value);
        else for (const auto &member : *members) add_upstream(lines, member);
    }
    return plain(lines);
}

static Answer verdict(bool ok) {
    return plain(ok ? "ok\n" : "wrong\n");
}

static Answer log_part(const Request &request) {
    for (auto [level, line] : request.query_params()) {
        if (level == "trace") log::trace(line);
        if (level == "debug") log::debug(line);
        if (level == "info") log::info(line);
        if (level == "warn") log::warn(line);
        if (level == "error") log::error(line);
    }
    return Pass();
}

static Answer respond_part(const Request &request) {
    Response response(200);
    for (auto param : request.query_params()) {
        if (param.name == "status") {
            auto status = number<uint16_t>(param.value);
            if (!status) return bad_value(param);
            response.record.status = *status;
        } else if (param.name == "header") {
            auto header = split(param.value);
            if (!header) return bad_value(param);
            response.header(header->name, header->value);
        } else if (param.name == "body") {
            response.body(param.value);
        }
    }
    return response;
}

// The text between the first `/` and the next one.
static std::string_view part_of(std::string_view path) {
    auto start = path.find('/');
    if (start == path.npos) return "";
    return path.substr(start + 1, path.find('/', start + 1) - start - 1);
}

Answer select_peer(const Request &request) {
    auto part = part_of(request.path());
    if (part == "peer") return peer_part(request);
    if (part == "echo") return echo_part(request);
    if (part == "attempts") return attempts_part(request);
    if (part == "failover") return failover_part(request);
    if (part == "canary") return canary_part(request);
    if (part == "hash") return hash_part(request);
    if (part == "config") return config_part(request);
    if (part == "shared") return shared_part(request);
    if (part == "upstreams") return upstreams_part(request);
    if (part == "clock") return verdict(clock::now_ms() == clock::now_ms() && clock::now_ms() > 1'600'000'000'000);
    if (part == "random") return verdict(random::bits() != random::bits());
    if (part == "log") return log_part(request);
    if (part == "respond") return respond_part(request);
    if (part == "pass") return Pass();
    if (part == "error") return Error(request.query_param("text").value_or(""));
    if (part == "configured") return plain(std::string(join("configured ", config_bytes, " ", configure_calls, "\n")));
    return Error("unknown part ", part);
}
