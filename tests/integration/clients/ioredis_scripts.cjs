// Scripts of ioredis, half of them through TLS, with a crash in the middle.
//   ioredis_scripts.cjs PORT TLS_PORT DIRECTORY_OF_CERTIFICATES (programs.py)
const assert = require("assert");
const fs = require("fs");
const Redis = require("ioredis");
const { crash, run, until } = require("./crash.cjs");

const [port, tlsPort] = process.argv.slice(2, 4).map(Number);
const certificate = (name) => fs.readFileSync(`${process.argv[4]}/${name}`);
const tls = { ca: certificate("ca.crt"), cert: certificate("client.crt"), key: certificate("client.key"), servername: "localhost" };

const scripts = {
  // A bucket that is filled again at a rate: {allowed, left}.
  take: { numberOfKeys: 1, lua: `
    local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
    local most, rate, now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    local left = math.min(most, (tonumber(bucket[1]) or most) + (now - (tonumber(bucket[2]) or now)) * rate)
    local allowed = left >= wanted
    if allowed then left = left - wanted end
    redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', now)
    redis.call('EXPIRE', KEYS[1], 3600)
    return {allowed and 1 or 0, tostring(left)}` },
  // Move what passes a test from one list to another; any number of keys.
  move: { lua: `
    local moved = {}
    for _, value in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
      local job = cjson.decode(value)
      if job.priority >= tonumber(ARGV[1]) then
        redis.call('LREM', KEYS[1], 1, value)
        redis.call('RPUSH', KEYS[2], cjson.encode({id = job.id, tags = job.tags}))
        moved[#moved + 1] = {job.id, #job.tags, false, job.priority + 0.9}
      end
    end
    return moved` },
  pack: { numberOfKeys: 1, lua: "redis.call('SET', KEYS[1], cmsgpack.pack({ARGV[1], {n = 1}})) return cmsgpack.unpack(redis.call('GET', KEYS[1]))[1]" },
  fail: { numberOfKeys: 0, lua: "return redis.error_reply('MYERROR ' .. ARGV[1])" },
};

function connect(options) {
  const r = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null, scripts, ...options });
  r.on("error", () => {});
  return r;
}

async function use(r, name) {
  assert.deepStrictEqual(await r.take(`${name}:bucket`, 10, 0.5, 100, 8), [1, "2"]);
  assert.deepStrictEqual(await r.take(`${name}:bucket`, 10, 0.5, 101, 8), [0, "2.5"]);
  for (let id = 0; id < 20; id++) await r.rpush(`${name}:from`, JSON.stringify({ id, priority: id % 5, tags: ["a", "ü"].slice(id % 3) }));
  const moved = await r.move(2, `${name}:from`, `${name}:to`, 4);
  assert.deepStrictEqual(moved, [4, 9, 14, 19].map((id) => [id, Math.max(0, 2 - (id % 3)), null, 4]));
  assert.deepStrictEqual((await r.lrange(`${name}:to`, 0, -1)).map((s) => JSON.parse(s).id), [4, 9, 14, 19]);
  const bytes = Buffer.from([0, 255, 13, 10, 128]);
  assert.ok(bytes.equals(await r.packBuffer(`${name}:packed`, bytes)));
  assert.strictEqual((await r.getBuffer(`${name}:packed`)).length, 11);
  await assert.rejects(r.fail("of mine"), { message: "MYERROR of mine" });
}

// The cache of the server is empty; the library notices.
async function useAgain(r, name, at) {
  assert.deepStrictEqual(await r.take(`${name}:bucket`, 10, 0.5, at, 1), [1, "2.5"]);
  await r.script("FLUSH");
  assert.deepStrictEqual(await r.script("EXISTS", "0".repeat(40)), [0]);
  assert.deepStrictEqual(await r.move(2, `${name}:from`, `${name}:to`, 9), []);
  await r.script("FLUSH", "ASYNC");
  const results = await r.pipeline().move(2, `${name}:from`, `${name}:to`, 9).fail("in a pipeline").llen(`${name}:to`).exec();
  assert.deepStrictEqual([results[0], results[1][0].message, results[2]], [[null, []], "MYERROR in a pipeline", [null, 4]]);
  const many = await Promise.all(Array.from({ length: 500 }, (_, i) => r.move(2, `${name}:from`, `${name}:to`, 9 + i)));
  assert.ok(many.every((moved) => moved.length === 0));
  assert.deepStrictEqual(await r.take(`${name}:third`, 5, 1, 0, 0), [1, "5"]); // loads it: within MULTI it may not be missing
  const [, [, taken]] = await r.multi().del(`${name}:other`).take(`${name}:other`, 5, 1, 0, 5).exec();
  assert.deepStrictEqual(taken, [1, "0"]);
}

// Publish/subscribe, blocking reads and much data through TLS.
async function encrypted(t) {
  const listener = t.duplicate();
  listener.on("error", () => {});
  const heard = [];
  listener.on("message", (channel, message) => heard.push([channel, message]));
  await listener.subscribe("news");
  const big = Buffer.alloc(5 << 20, "0123456789");
  await t.set("big", big);
  assert.ok(big.equals(await t.getBuffer("big")));
  const reader = t.duplicate();
  reader.on("error", () => {});
  await reader.ping();
  const read = reader.xread("BLOCK", 0, "STREAMS", "stream", "0"); // asked again by itself

  return async () => {
    await until("its subscription", async () => (await t.publish("news", "after")) === 1 && heard.length > 0);
    assert.deepStrictEqual(heard[0], ["news", "after"]);
    await t.xadd("stream", "1-1", "field", "value");
    assert.deepStrictEqual(await read, [["stream", [["1-1", ["field", "value"]]]]]);
    assert.ok(big.equals(await t.getBuffer("big")));
  };
}

// A library of functions: it is data, and there after the crash.
async function functions(r) {
  const code = (by) => `#!lua name=counters
    redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1] * ${by}) end)
    redis.register_function{function_name='read', callback=function(keys) return tonumber(redis.call('GET', keys[1])) end, flags={'no-writes'}}`;
  assert.strictEqual(await r.function("LOAD", code(1)), "counters");
  await assert.rejects(r.function("LOAD", code(1)), /Library 'counters' already exists/);
  assert.strictEqual(await r.fcall("add", 1, "counter", 20), 20);
  const kept = await r.functionBuffer("DUMP");
  assert.strictEqual(await r.function("LOAD", "REPLACE", code(2)), "counters");
  assert.deepStrictEqual(await r.multi().fcall("add", 1, "counter", 11).fcall_ro("read", 1, "counter").exec(), [[null, 42], [null, 42]]);
  await assert.rejects(r.fcall_ro("add", 1, "counter", 1), /Can not execute a script with write flag/);

  return async () => {
    assert.strictEqual(await r.fcall_ro("read", 1, "counter"), 42);
    assert.strictEqual(await r.fcall("add", 1, "counter", 1), 44);
    const [library] = await r.function("LIST", "LIBRARYNAME", "count*", "WITHCODE");
    assert.strictEqual(library[library.indexOf("library_code") + 1], code(2));
    await assert.rejects(r.function("RESTORE", kept), /already exists/);
    assert.strictEqual(await r.function("RESTORE", kept, "REPLACE"), "OK");
    assert.strictEqual(await r.fcall("add", 1, "counter", 1), 45);
    await r.function("DELETE", "counters");
    await assert.rejects(r.fcall("add", 1, "counter", 1), /Function not found/);
  };
}

// There is no cluster and no sentinel here, and both are told.
async function others() {
  const cluster = new Redis.Cluster([{ port }], { clusterRetryStrategy: null, lazyConnect: true });
  const told = new Promise((resolve) => cluster.on("error", resolve));
  await assert.rejects(cluster.connect());
  assert.match(String((await told).lastNodeError), /ERR This instance has cluster support disabled/);
  cluster.disconnect();
  const watched = new Redis({ sentinels: [{ port }], name: "mymaster", sentinelRetryStrategy: null, lazyConnect: true, retryStrategy: null });
  watched.on("error", () => {});
  await assert.rejects(watched.connect(), /All sentinels are unreachable.*unknown command '?`?sentinel/is);
  watched.disconnect();
}

run(async () => {
  const plain = connect(), secret = connect({ port: tlsPort, host: "localhost", tls });
  const foreign = connect({ port: tlsPort, tls: { ...tls, ca: certificate("other-ca.crt") }, retryStrategy: null, maxRetriesPerRequest: 0 });
  await assert.rejects(foreign.ping());
  await Promise.all([use(plain, "plain"), use(secret, "secret"), others()]);
  await useAgain(plain, "plain", 103);
  await useAgain(secret, "secret", 103);
  const rest = [await encrypted(secret), await functions(plain)];
  await crash();
  await useAgain(plain, "plain", 105);
  await useAgain(secret, "secret", 105);
  for (const part of rest) await part();
});
