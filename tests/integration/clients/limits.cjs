// rate-limiter-flexible and redlock as programs use them, with a crash in the middle.
//   limits.cjs PORT (programs.py)
const assert = require("assert");
const Redis = require("ioredis");
const { createClient } = require("redis");
const { BurstyRateLimiter, RateLimiterRedis } = require("rate-limiter-flexible");
const Redlock = require("redlock");
const { crash, run, until } = require("./crash.cjs");

const port = Number(process.argv[2]);

function connect() {
  const r = new Redis(port, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  r.on("error", () => {});
  return r;
}
const refused = (promise) => promise.then(() => assert.fail("it was let through"), (result) => {
  if (result instanceof Error) throw result;
  return result;
});

// -- limits, on a client of either package
async function limits(client, options) {
  const limiter = (keyPrefix, points, duration, more) => new RateLimiterRedis({ storeClient: client, keyPrefix, points, duration, ...options, ...more });
  const long = limiter(`${options.name}-long`, 5, 3600), blocking = limiter(`${options.name}-block`, 1, 3600, { blockDuration: 7200 });
  const short = limiter(`${options.name}-short`, 2, 1);
  const bursty = new BurstyRateLimiter(limiter(`${options.name}-even`, 2, 3600), limiter(`${options.name}-burst`, 3, 3600));
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => long.consume("many")));
  assert.strictEqual(results.filter((result) => result.status === "fulfilled").length, 5);
  assert.ok(results.every((result) => !(result.reason instanceof Error)));
  const first = await long.consume("user", 3);
  assert.deepStrictEqual([first.remainingPoints, first.consumedPoints, first.isFirstInDuration], [2, 3, true]);
  assert.ok(first.msBeforeNext > 3500000 && first.msBeforeNext <= 3600000, String(first));
  assert.strictEqual((await long.penalty("user", 2)).consumedPoints, 5);
  assert.strictEqual((await long.reward("user", 1)).consumedPoints, 4);
  await blocking.consume("user");
  assert.ok((await refused(blocking.consume("user"))).msBeforeNext > 3600000);
  await long.block("blocked", 600);
  for (let i = 0; i < 5; i++) await bursty.consume("user");
  await refused(bursty.consume("user"));
  const earliest = Date.now() + 1000;
  await short.consume("user", 2);

  return async () => {
    const left = await long.get("user");
    assert.deepStrictEqual([left.remainingPoints, left.consumedPoints], [1, 4]);
    assert.ok(left.msBeforeNext > 3000000 && left.msBeforeNext <= 3600000);
    await long.consume("user");
    assert.strictEqual((await refused(long.consume("user"))).remainingPoints, 0);
    for (const [of, key] of [[blocking, "user"], [long, "blocked"], [bursty, "user"], [long, "many"]]) await refused(of.consume(key));
    assert.ok(await long.delete("user"));
    assert.strictEqual((await long.consume("user")).remainingPoints, 4);
    await until("a new second", () => short.consume("user").then(() => true, (result) => {
      if (result instanceof Error) throw result;
      return false;
    }));
    assert.ok(Date.now() >= earliest);
  };
}

// -- locks
async function locks(clients) {
  const [one, two] = clients;
  const patient = new Redlock([one], { retryCount: -1, retryDelay: 5, retryJitter: 5 }), hasty = new Redlock([two], { retryCount: 0 });
  const taken = (promise) => assert.rejects(promise, { name: "LockError" });
  async function add(of) { // read and write apart: the lock keeps others away
    for (let i = 0; i < 10; i++) {
      const lock = await of.lock("lock:sum", 30000), sum = Number(await one.get("sum"));
      await two.set("sum", sum + 1);
      await lock.unlock();
    }
  }
  await Promise.all([patient, patient, new Redlock([two], { retryCount: -1, retryDelay: 5 })].map(add));
  assert.strictEqual(await one.get("sum"), "30");
  const held = await patient.lock(["lock:a", "lock:b"], 600000), gone = await patient.lock("lock:gone", 600000);
  await taken(hasty.lock("lock:b", 1000));
  await gone.unlock();
  await taken(gone.extend(1000));
  const other = await hasty.lock("lock:other", 600000), waits = patient.lock("lock:other", 600000);

  return async () => {
    await taken(hasty.lock("lock:a", 1000));
    const longer = await held.extend(900000);
    for (const key of ["lock:a", "lock:b"]) assert.ok((await one.pttl(key)) > 600000);
    await other.unlock();
    await waits;
    await taken(hasty.lock("lock:other", 1000));
    await longer.unlock();
    const short = await hasty.lock("lock:a", 600000);
    assert.strictEqual(await one.pexpire("lock:a", 1), 1);
    const next = await patient.lock("lock:a", 600000);
    await taken(short.unlock()); // it has expired, and is another's
    await next.unlock();
    await (await hasty.lock(["lock:b", "lock:c"], 60000)).unlock();
    assert.deepStrictEqual(await one.keys("lock:*"), ["lock:other"]);
  };
}

run(async () => {
  const clients = [connect(), connect()], other = createClient({ socket: { port, reconnectStrategy: () => 50 } });
  other.on("error", () => {});
  await other.connect();
  const rest = await Promise.all([limits(clients[0], { name: "ioredis" }),
    limits(other, { name: "redis", useRedisPackage: true }), locks(clients)]);
  await crash();
  await until("its connection", () => other.isReady);
  await Promise.all(rest.map((part) => part()));
});
