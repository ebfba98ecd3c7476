// Client-side caching of the redis package, with a crash in the middle.
//   node_redis_cache.cjs PORT (programs.py)
const assert = require("assert");
const { BasicClientSideCache, createClient } = require("redis");
const { crash, run, until } = require("./crash.cjs");

const port = Number(process.argv[2]);

async function connect(options) {
  const r = createClient({ socket: { port, reconnectStrategy: () => 50 }, ...options });
  r.on("error", () => {});
  return r.connect();
}

// What is read again comes out of the cache until somebody writes.
async function reads(r, cache, writer, name) {
  const key = (n) => `${name}:${n}`;
  const cost = async (read) => {
    const before = cache.stats();
    const value = await read();
    const { hitCount, missCount } = cache.stats().minus(before);
    return [value, hitCount, missCount];
  };
  await writer.mSet(Array.from({ length: 50 }, (_, n) => [key(n), `old ${n}`]));
  for (let n = 0; n < 50; n++) assert.strictEqual(await r.get(key(n)), `old ${n}`);
  for (let n = 0; n < 50; n++) assert.deepStrictEqual(await cost(() => r.get(key(n))), [`old ${n}`, 1, 0]);
  await writer.hSet(`${name}:hash`, "field", "value");
  assert.strictEqual(await r.hGet(`${name}:hash`, "field"), "value");
  assert.deepStrictEqual(await cost(() => r.hGet(`${name}:hash`, "field")), ["value", 1, 0]);

  // A write of another's, one's own, a script's, a transaction's, an expiry.
  const changes = [
    [0, "new", () => writer.set(key(0), "new")],
    [1, "mine", () => r.set(key(1), "mine")],
    [2, "script", () => writer.eval("return redis.call('SET', KEYS[1], 'script')", { keys: [key(2)] })],
    [3, "old 3!", () => writer.multi().append(key(3), "!").incr(`${name}:sum`).exec()],
    [4, null, () => writer.del(key(4))],
    [5, null, () => writer.pExpire(key(5), 20)],
    [6, "old 7", () => writer.rename(key(7), key(6))],
  ];
  for (const [n, value, change] of changes) {
    await change();
    await until(`${value} for ${n}`, async () => (await r.get(key(n))) === value);
  }
  assert.deepStrictEqual(await cost(() => r.get(key(20))), ["old 20", 1, 0]); // nobody has written it
  const race = Array.from({ length: 200 }, (_, i) => [writer.set(key(8), String(i)), r.get(key(8))]).flat();
  await Promise.all(race);
  await until("the last of many writes", async () => (await r.get(key(8))) === "199");
  await writer.hDel(`${name}:hash`, "field");
  await until("the field's end", async () => (await r.hGet(`${name}:hash`, "field")) === null);
}

run(async () => {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: "LRU" });
  const writer = await connect({}), r = await connect({ RESP: 3, clientSideCache: cache });
  const listener = await connect({ RESP: 3, emitInvalidate: true }), told = [];
  listener.on("invalidate", (key) => told.push(key === null ? null : String(key)));
  await reads(r, cache, writer, "before");
  assert.deepStrictEqual(told, []); // it has read nothing
  await writer.set("kept", "in the dump");
  assert.strictEqual(await r.get("kept"), "in the dump");
  await crash();

  await until("its connections", () => r.isReady && writer.isReady && listener.isReady);
  const { missCount } = cache.stats();
  assert.strictEqual(await r.get("kept"), "in the dump"); // asked again: nothing was promised by this server
  assert.strictEqual(cache.stats().missCount, missCount + 1);
  await reads(r, cache, writer, "after");
  await listener.get("heard");
  await writer.set("heard", 1);
  await until("what it is told", () => told.length > 0);
  assert.deepStrictEqual(told, ["heard"]);
  await r.get("kept");
  await writer.flushDb();
  await until("an empty cache", () => cache.size() === 0);
  assert.strictEqual(await r.get("kept"), null);
  await until("the end of all keys", () => told.includes(null));
});
