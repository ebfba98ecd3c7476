// The redis package of npm as a program uses it, in RESP2 and RESP3.  node_redis.cjs PORT; prints ok.
const assert = require("assert");
const { createClient } = require("redis");

const port = Number(process.argv[2]);

async function talk(RESP) {
  const r = createClient({ socket: { port }, RESP, name: "tester" });
  r.on("error", () => {});
  await r.connect();
  await r.flushAll();
  assert.strictEqual(await r.set("a", "ü€", { EX: 100 }), "OK");
  assert.strictEqual(await r.get("a"), "ü€");
  await Promise.all(Array.from({ length: 2000 }, (_, i) => r.set(`key:${i}`, String(i))));
  let seen = 0;
  for await (const keys of r.scanIterator({ MATCH: "key:*", COUNT: 100 })) seen += Array.isArray(keys) ? keys.length : 1;
  assert.ok(seen >= 2000);
  assert.strictEqual(await r.hSet("h", { f: "1", g: "2" }), 2);
  assert.deepStrictEqual({ ...(await r.hGetAll("h")) }, { f: "1", g: "2" });
  assert.deepStrictEqual(await r.multi().set("x", "1").incr("x").exec(), ["OK", 2]);
  await assert.rejects(r.hGet("a", "f"), /WRONGTYPE/);
  const sub = r.duplicate();
  sub.on("error", () => {});
  await sub.connect();
  const heard = new Promise((resolve) => sub.subscribe("news", (message) => resolve(message)).then(() => r.publish("news", "hello")));
  assert.strictEqual(await heard, "hello");
  if (RESP === 3) assert.strictEqual(await sub.get("a"), "ü€"); // a subscriber may ask on
  await sub.unsubscribe("news");
  assert.strictEqual(await r.clientGetName(), "tester");
  await sub.close();
  await r.close();
}
talk(2)
  .then(() => talk(3))
  .then(() => console.log("ok"))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
