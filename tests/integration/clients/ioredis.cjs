// ioredis as a program uses it.  ioredis.cjs PORT; prints ok.
const assert = require("assert");
const Redis = require("ioredis");

const port = Number(process.argv[2]);

async function main() {
  const r = new Redis(port);
  assert.strictEqual(await r.set("a", "ü€", "EX", 100), "OK");
  assert.strictEqual(await r.get("a"), "ü€");
  const many = await Promise.all(Array.from({ length: 5000 }, (_, i) => r.incrby("sum", i)));
  assert.strictEqual(many[4999], (4999 * 5000) / 2);
  const results = await r.pipeline().set("x", 1).incr("x").hget("x", "f").exec();
  assert.strictEqual(results[1][1], 2);
  assert.match(results[2][0].message, /WRONGTYPE/);
  assert.deepStrictEqual(await r.multi().hset("h", { f: "1", g: "2" }).hgetall("h").exec(), [[null, 2], [null, { f: "1", g: "2" }]]);
  const big = Buffer.alloc(10 << 20, 7);
  await r.set("big", big);
  assert.ok(big.equals(await r.getBuffer("big")));
  for (let i = 0; i < 1000; i++) r.set(`key:${i}`, i);
  let seen = 0;
  for await (const keys of r.scanStream({ match: "key:*", count: 100 })) seen += keys.length;
  assert.ok(seen >= 1000);
  const sub = new Redis(port);
  const heard = new Promise((resolve) => sub.on("pmessage", (pattern, channel, message) => resolve([pattern, channel, message])));
  await sub.psubscribe("n*");
  assert.strictEqual(await r.publish("news", "hello"), 1);
  assert.deepStrictEqual(await heard, ["n*", "news", "hello"]);
  const id = await r.client("ID");
  await sub.punsubscribe("n*");
  await sub.client("KILL", "ID", id);
  assert.strictEqual(await r.get("a"), "ü€"); // on a new connection
  r.defineCommand("addTo", { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], ARGV[1])" });
  assert.strictEqual(await r.addTo("counter", 5), 5); // EVALSHA, and EVAL after NOSCRIPT
  assert.strictEqual(await r.addTo("counter", 2), 7);
  assert.deepStrictEqual(await r.pipeline().addTo("counter", 1).get("counter").exec(), [[null, 8], [null, "8"]]);
  await assert.rejects(r.addTo("counter", "x"), /not an integer.*script: [0-9a-f]{40}, on @user_script:1/);
  await assert.rejects(r.call("NOSUCH"), /unknown command/);
  await Promise.all([r.quit(), sub.quit()]);
  console.log("ok");
}
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
