//! What a router sees of a request, its configuration and the host's other interfaces, by the test kit.

const std = @import("std");
const pointsman = @import("pointsman");

const config = pointsman.config;
const shared = pointsman.shared;
const testing = pointsman.testing;

const expectEqual = std.testing.expectEqual;
const expectEqualDeep = std.testing.expectEqualDeep;
const expectEqualStrings = std.testing.expectEqualStrings;
const expectFailure = testing.expectFailure;

fn expectText(expected: ?[]const u8, found: ?[]const u8) !void {
    try expectEqualDeep(expected, found);
}

fn expectHost(expected: []const u8, url: []const u8) !void {
    try expectEqualStrings(expected, testing.get(url).request().host());
}

test "the host is the authority without port" {
    try expectHost("shop.example", "http://Shop.Example/");
    try expectHost("shop.example", "http://shop.example:8080/");
    try expectHost("203.0.113.7", "http://203.0.113.7:80/");
    try expectHost("[2001:db8::1]", "http://[2001:db8::1]/");
    try expectHost("[2001:db8::1]", "http://[2001:db8::1]:8080/");
    try expectHost("", "/");
}

fn expectSegments(expected: []const []const u8, path: []const u8) !void {
    try expectEqualDeep(expected, testing.get(path).request().pathSegments());
}

test "segments are decoded after they are split" {
    try expectSegments(&.{}, "/");
    try expectSegments(&.{ "cart", "items" }, "/cart//items/");
    try expectSegments(&.{ "a/b", "café" }, "/a%2Fb/caf%C3%A9");
    try expectSegments(&.{ "\u{fffd}", "%2", "100%", "a+b" }, "/%FF/%2/100%/a+b");
    try expectSegments(&.{ "..", ".." }, "/../%2e%2e");
}

fn expectParam(expected: ?[]const u8, url: []const u8, name: []const u8) !void {
    try expectText(expected, testing.get(url).request().queryParam(name));
}

test "query parameters are decoded" {
    try expectParam(null, "/", "a");
    try expectParam(null, "/?", "a");
    try expectParam("", "/?a", "a");
    try expectParam("1", "/?a=1&b=2&a=3", "a");
    try expectParam("café noir", "/?na%6De=caf%C3%A9+noir", "name");
    try expectParam("b=c?d", "/?a=b=c?d", "a");
}

test "all query parameters keep their order" {
    const expected: []const pointsman.Pair = &.{
        .{ .name = "b", .value = "1" },
        .{ .name = "a", .value = "2" },
        .{ .name = "b", .value = "3" },
    };
    try expectEqualDeep(expected, testing.get("/?b=1&&a=2&b=3").request().queryParams());
}

test "cookies of all headers are read" {
    const request = testing.get("/")
        .header("Cookie", "a=1;b = 2; c=x=y; flag")
        .header("cookie", "d=4; a=5; e=\xff")
        .request();
    try expectText("1", request.cookie("a"));
    try expectText("2", request.cookie("b"));
    try expectText("x=y", request.cookie("c"));
    try expectText("4", request.cookie("d"));
    try expectText("\u{fffd}", request.cookie("e"));
    try expectText(null, request.cookie("flag"));
    try expectEqual(6, request.cookies().len);
}

test "headers are found without regard to case" {
    const request = testing.get("/")
        .header("X-Shop", "north")
        .header("x-id", "\xff")
        .header("x-shop", "south")
        .request();
    try expectText("north", request.header("X-SHOP"));
    try expectText("\xff", request.header("x-id"));
    try expectText("\u{fffd}", request.headerText("x-id"));
    try expectText(null, request.header("x-none"));
    try expectEqual(2, request.headerValues("x-shop").len);
    try expectEqualStrings("x-shop", request.headers()[1].name);
}

test "a request without more has these facts" {
    const request = testing.of("POST", "https://Shop.Example:8443?x=1").request();
    try expectEqualStrings("POST", request.method());
    try expectEqualStrings("https", request.scheme());
    try expectEqualStrings("shop.example:8443", request.authority());
    try expectEqualStrings("/", request.path());
    try expectText("x=1", request.query());
    try expectEqualStrings("192.0.2.1", request.clientIp());
    try expectEqualStrings("test", request.listener());
    try expectText("shop.example", request.tls().?.sni);
    try expectEqual(null, testing.get("/").request().tls());
}

test "attempts are numbered" {
    const request = testing.get("/")
        .attempt(testing.refused("127.0.0.1:9101"))
        .attempt(testing.status("127.0.0.1:9102", 503))
        .request();
    try expectEqual(2, request.attempts()[1].number);
    try expectEqual(.refused, request.attempts()[0].failure);
    try expectEqual(503, request.attempts()[1].status);
}

test "configuration is found by its pointer" {
    testing.reset();
    testing.config(
        \\{"name": "shop", "on": true, "ports": [80, 81], "upstreams": ["a:1", "b:2"], "share": 2.5, "a/b": {"~": 1}}
    );
    try expectEqualStrings("shop", try config.text("/name"));
    try expectEqualDeep(@as([]const []const u8, &.{ "a:1", "b:2" }), try config.texts("/upstreams"));
    try expectEqual(81, try config.number(u16, "/ports/1"));
    try expectEqual(2.5, try config.number(f64, "/share"));
    try expectEqual(1, try config.number(u8, "/a~1b/~0"));
    try expectEqual(true, try config.flag("/on"));
    try expectText("[80,81]", config.get("/ports"));
    try expectText(null, config.get("/ports/2"));
    try expectText(null, config.get("name"));
}

test "defaults replace absent values" {
    testing.reset();
    try expectEqualStrings("{}", config.json());
    try expectEqualStrings("shop", try config.textOr("/name", "shop"));
    try expectEqual(10, try config.numberOr(u8, "/percent", 10));
    try expectEqual(false, try config.flag("/on"));
}

test "a missing value is named" {
    testing.reset();
    try expectFailure("config: `/name` is missing", config.text("/name"));
    try expectFailure("config: `/names` is missing", config.texts("/names"));
    try expectFailure("config: `/port` is missing", config.number(u16, "/port"));
}

test "a value of the wrong type is an error even with a default" {
    testing.reset();
    testing.config(
        \\{"text": "80", "number": 80.5, "list": ["a", 1]}
    );
    try expectFailure("config: `/number` is `80.5`, not a text", config.textOr("/number", ""));
    try expectFailure("config: `/text` is `\"80\"`, not a list", config.texts("/text"));
    try expectFailure("config: `/list/1` is `1`, not a text", config.texts("/list"));
    try expectFailure("config: `/text` is `\"80\"`, not a number", config.number(f64, "/text"));
    const range = "not a whole number from 0 to 255";
    try expectFailure("config: `/number` is `80.5`, " ++ range, config.numberOr(u8, "/number", 1));
    try expectFailure("config: `/text` is `\"80\"`, not true or false", config.flag("/text"));
}

const Table = struct {
    name: []const u8,
    percent: f64 = 10,
    sites: []const Site = &.{},
    ports: ?[2]u16 = null,
    by_path: std.json.ArrayHashMap(Site) = .{},

    const Site = struct { at: []const u8, weight: u8 = 1, mode: enum { hash, random } = .hash };
};

fn expectTableFailure(message: []const u8, json: []const u8) !void {
    testing.reset();
    testing.config(json);
    try expectFailure(message, config.parse(Table));
}

test "the table is read as a type" {
    testing.reset();
    testing.config(
        \\{"name": "shop", "sites": [{"at": "a:1"}, {"at": "b:1", "weight": 7, "mode": "random"}], "ports": [80, 81],
        \\ "by_path": {"/x": {"at": "c:1"}}}
    );
    const table = try config.parse(Table);
    try expectEqualStrings("shop", table.name);
    try expectEqual(10, table.percent);
    try expectEqualDeep(Table.Site{ .at = "b:1", .weight = 7, .mode = .random }, table.sites[1]);
    try expectEqual(.{ 80, 81 }, table.ports.?);
    try expectEqualStrings("c:1", table.by_path.map.get("/x").?.at);
}

test "what is wrong in a table is named" {
    try expectTableFailure("config: `/name` is missing", "{}");
    try expectTableFailure("config: `/name` is `7`, not a text",
        \\{"name": 7}
    );
    try expectTableFailure("config: `/percent` is `\"20\"`, not a number",
        \\{"name": "", "percent": "20"}
    );
    try expectTableFailure("config: `/sites/1/at` is missing",
        \\{"name": "", "sites": [{"at": ""}, {}]}
    );
    try expectTableFailure("config: `/sites/0/weight` is `\"2\"`, not a whole number from 0 to 255",
        \\{"name": "", "sites": [{"at": "", "weight": "2"}]}
    );
    try expectTableFailure("config: `/sites/0/weight` is `256`, not a whole number from 0 to 255",
        \\{"name": "", "sites": [{"at": "", "weight": 256}]}
    );
    try expectTableFailure("config: `/sites/0/mode` is `\"rand\"`, not one of hash, random",
        \\{"name": "", "sites": [{"at": "", "mode": "rand"}]}
    );
    try expectTableFailure("config: `/sites` is `{}`, not a list",
        \\{"name": "", "sites": {}}
    );
    try expectTableFailure("config: `/ports` is `[80]`, not a list of 2",
        \\{"name": "", "ports": [80]}
    );
    try expectTableFailure("config: `/by_path/~1x~0y/at` is missing",
        \\{"name": "", "by_path": {"/x~y": {}}}
    );
    try expectTableFailure("config: `/nmae` is unknown",
        \\{"name": "", "nmae": ""}
    );
}

test "an error of `shared` has the contract's name for it" {
    testing.reset();
    const long: [257]u8 = @splat('k');
    try expectFailure("shared: too-long", shared.set(&long, "", .{}));
    try shared.set("colour", "green", .{});
    try expectFailure("shared: other-kind", shared.add("colour", 1, .{}));
}

test "each line is recorded once, with its level" {
    testing.reset();
    pointsman.log.info("cart", .{});
    pointsman.log.warn("{d} left", .{3});
    const expected: []const testing.Line = &.{
        .{ .level = .info, .message = "cart" },
        .{ .level = .warn, .message = "3 left" },
    };
    try expectEqualDeep(expected, testing.logLines());
    try expectEqual(0, testing.logLines().len);
}

test "a counter counts in its time" {
    testing.reset();
    testing.clock(1_000);
    try expectEqual(1, shared.add("hits", 1, .{ .ttl_ms = 1000 }));
    testing.clock(1_999);
    try expectEqual(2, shared.add("hits", 1, .{ .ttl_ms = 1000 }));
    try expectEqual(2, shared.counter("hits"));
    testing.clock(2_000);
    try expectEqual(null, shared.counter("hits"));
    try expectEqual(5, shared.add("hits", 5, .{}));
    try expectEqual(error.Overflow, shared.add("hits", std.math.maxInt(i64), .{}));
}

test "a value is kept until it is replaced or removed" {
    testing.reset();
    try expectText(null, shared.get("colour"));
    try shared.set("colour", "green", .{});
    try expectEqual(false, shared.compareAndSet("colour", "blue", "red", .{}));
    try expectEqual(false, shared.compareAndSet("colour", null, "red", .{}));
    try expectEqual(true, shared.compareAndSet("colour", "green", "red", .{}));
    try expectText("red", shared.get("colour"));
    try expectEqual(error.OtherKind, shared.add("colour", 1, .{}));
    const long: [257]u8 = @splat('k');
    try expectEqual(error.TooLong, shared.set(&long, "", .{}));
    shared.delete("colour");
    try expectText(null, shared.get("colour"));
}

test "random numbers are within their range, and two that are picked differ" {
    testing.reset();
    const most = std.math.maxInt(u64);
    testing.random(&.{ 0, most, most / 2, 7 });
    try expectEqual(0, pointsman.random.below(10));
    try expectEqual(9, pointsman.random.below(10));
    try expectEqual(4, pointsman.random.below(10));
    try expectEqual(0, pointsman.random.below(0));
    const items: []const u8 = "abc";
    for (0..3) |first| for (0..2) |second| {
        testing.random(&.{ most / 3 * first + 1000, most / 2 * second + 1000 });
        const picked = pointsman.random.pickTwo(u8, items).?;
        try std.testing.expect(picked[0] != picked[1]);
    };
    try expectEqual(null, pointsman.random.pickTwo(u8, items[0..1]));
    try expectEqual(null, pointsman.random.pick(u8, ""));
}

test "upstreams and the clock are as the test has them" {
    testing.reset();
    testing.group("backends", &.{.{ .address = "a:1", .health = .healthy }});
    testing.upstream(.{ .address = "a:1", .in_flight = 2 });
    try expectEqual(.healthy, (try pointsman.upstreams.group("backends"))[0].health);
    try expectEqual(2, pointsman.upstreams.get("a:1").in_flight);
    try expectEqual(null, pointsman.upstreams.get("b:1").latency_us);
    try expectFailure("there is no group `x`; the operator defines it", pointsman.upstreams.group("x"));
    testing.clock(7);
    try expectEqual(7, pointsman.clock.nowMs());
}
