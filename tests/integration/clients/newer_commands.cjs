// Commands of Redis 7.4 to 8.4 as the redis package and ioredis send them, with a crash in the
// middle.  newer_commands.cjs PORT (programs.py)
const assert = require("assert");
const { createClient } = require("redis");
const Redis = require("ioredis");
const { crash, run, until } = require("./crash.cjs");

const port = Number(process.argv[2]);
const hour = { type: "EX", value: 3600 };

async function connect(RESP) {
  const r = createClient({ socket: { port, reconnectStrategy: () => 50 }, RESP });
  r.on("error", () => {});
  return r.connect();
}

// A session whose parts end at times of their own.
async function fields(r, key) {
  await r.hSet(key, { name: "ü€", token: "abc", cart: "full", once: "x", soon: "gone" });
  assert.deepStrictEqual(await r.hExpire(key, ["token", "none"], 3600), [1, -2]);
  assert.deepStrictEqual(await r.hExpire(key, "token", 7200, "LT"), [0]);
  assert.strictEqual(await r.hSetEx(key, { code: "1234", other: "y" }, { expiration: hour }), 1);
  assert.deepStrictEqual(await r.hGetEx(key, ["cart", "code"], { expiration: { type: "EX", value: 600 } }), ["full", "1234"]);
  assert.deepStrictEqual(await r.hPersist(key, ["other", "name"]), [1, -1]);
  assert.deepStrictEqual(await r.hGetDel(key, ["once", "none"]), ["x", null]);
  assert.deepStrictEqual(await r.hpExpire(key, "soon", 20), [1]);
  await until("the field's end", async () => !(await r.hExists(key, "soon")));
}
async function fieldsAfter(r, key, times) {
  assert.deepStrictEqual({ ...(await r.hGetAll(key)) }, { name: "ü€", token: "abc", cart: "full", code: "1234", other: "y" });
  assert.deepStrictEqual(await r.hpExpireTime(key, Object.keys(times)), Object.values(times));
  const left = await r.hTTL(key, ["token", "code", "name"]);
  assert.ok(left[0] > 3000 && left[0] <= 3600 && left[1] > 300 && left[1] <= 600 && left[2] === -1, String(left));
  assert.deepStrictEqual(await r.hpExpire(key, ["token", "cart", "code"], 10), [1, 1, 1]);
  await until("the fields' end", async () => (await r.hLen(key)) === 2);
}

// Keys that are written and removed only if they hold what one has seen.
async function compared(r, key) {
  assert.strictEqual(await r.mSetEx({ [`${key}:a`]: "1", [`${key}:b`]: "2" }, { expiration: hour, mode: "NX" }), 1);
  assert.strictEqual(await r.mSetEx({ [`${key}:a`]: "3", [`${key}:c`]: "3" }, { expiration: hour, mode: "NX" }), 0);
  assert.strictEqual(await r.set(`${key}:a`, "new", { condition: "IFEQ", matchValue: "0", expiration: "KEEPTTL" }), null);
  assert.strictEqual(await r.set(`${key}:a`, "new", { condition: "IFEQ", matchValue: "1", expiration: "KEEPTTL" }), "OK");
  const digest = await r.digest(`${key}:b`);
  assert.match(digest, /^[0-9a-f]{16}$/);
  assert.strictEqual(await r.delEx(`${key}:b`, { condition: "IFDEQ", matchValue: digest }), 1);
  assert.strictEqual(await r.delEx(`${key}:a`, { condition: "IFEQ", matchValue: "old" }), 0);
}
async function comparedAfter(r, key) {
  assert.deepStrictEqual(await r.mGet([`${key}:a`, `${key}:b`, `${key}:c`]), ["new", null, null]);
  const left = await r.ttl(`${key}:a`);
  assert.ok(left > 3000 && left <= 3600, `${left} s`);
  assert.strictEqual(await r.delEx(`${key}:a`, { condition: "IFNE", matchValue: "old" }), 1);
}

run(async () => {
  const clients = [[await connect(2), "two"], [await connect(3), "three"]], io = new Redis(port, { retryStrategy: () => 50 });
  io.on("error", () => {});
  const times = [];
  for (const [r, name] of clients) {
    await fields(r, `${name}:session`);
    await compared(r, name);
    const [token, code] = await r.hpExpireTime(`${name}:session`, ["token", "code"]);
    times.push({ token, code });
  }
  await io.hset("io", "a", 1, "b", 2);
  assert.deepStrictEqual(await io.hexpire("io", 3600, "NX", "FIELDS", 2, "a", "c"), [1, -2]);
  const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`field ${n}`, `value ${n}`]));
  assert.strictEqual(await clients[1][0].hSetEx("wide", wide, { expiration: hour }), 1);
  await crash();

  await until("its connections", () => clients.every(([r]) => r.isReady));
  for (const [i, [r, name]] of clients.entries()) {
    await fieldsAfter(r, `${name}:session`, times[i]);
    await comparedAfter(r, name);
  }
  assert.ok((await io.httl("io", "FIELDS", 1, "a"))[0] > 3000 && (await io.hpersist("io", "FIELDS", 1, "a"))[0] === 1);
  assert.deepStrictEqual(await io.hgetall("wide"), wide);
  assert.ok((await clients[0][0].hTTL("wide", Object.keys(wide))).every((left) => left > 3000 && left <= 3600));
});
