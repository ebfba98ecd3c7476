// Programs as users write them, on ioredis: users.py says what they do and what must be true of their data.
//   users.cjs PORT run|check
const assert = require("assert");
const Redis = require("ioredis");

const port = Number(process.argv[2]);
let gone = false;
const connections = [];

function connect() {
  const r = new Redis(port, { retryStrategy: null, maxRetriesPerRequest: 0, lazyConnect: false });
  r.on("error", () => {});
  r.on("close", () => { if (!r.isFinished) gone = true; });
  connections.push(r);
  return r;
}
function finish(r) {
  r.isFinished = true;
  r.disconnect();
}
const below = (n) => Math.floor(Math.random() * n);
const pick = (list) => list[below(list.length)];
const name = () => Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2);
// The replies of a transaction; an error among them is thrown.
async function exec(multi) {
  return (await multi.exec()).map(([error, value]) => { if (error) throw error; return value; });
}

// -- sessions
function checkSession(found) {
  assert.ok(["", "seen,user"].includes(Object.keys(found).sort().join()), JSON.stringify(found));
}
async function sessions(r) {
  const key = `session:${below(200)}`;
  if (Math.random() < 0.5) await exec(r.multi().hset(key, { user: name(), seen: below(1000) }).pexpire(key, pick([20, 100, 100000])));
  else if (Math.random() < 0.2) await r.del(key);
  else checkSession(await r.hgetall(key));
}
async function scan(r, match) {
  const found = new Set();
  for await (const keys of r.scanStream({ match, count: 100 })) keys.forEach((k) => found.add(k));
  return [...found];
}
async function checkSessions(r) {
  for (const key of await scan(r, "session:*")) {
    checkSession(await r.hgetall(key));
    const left = await r.pttl(key);
    assert.ok(left >= 0 || left === -2, `${key} ${left}`);
  }
}

// -- a work queue
async function produce(r) {
  const m = r.multi();
  for (let i = pick([1, 3]); i > 0; i--) m.incr("jobs:made").lpush("jobs", `job-${name()}`);
  await exec(m);
}
async function finishJob(r, mine, job) {
  assert.deepStrictEqual(await exec(r.multi().lrem(mine, 1, job).sadd("jobs:done", job)), [1, 1]);
}
function worker() {
  let r = connect(), mine = `working:${name()}`;
  return async function work() {
    const job = await r.blmove("jobs", mine, "RIGHT", "LEFT", 0.05);
    if (job === null) return;
    if (Math.random() < 0.05) { // it dies with the job in its hands
      await r.sadd("workers:dead", mine);
      finish(r);
      r = connect();
      mine = `working:${name()}`;
    } else await finishJob(r, mine, job);
  };
}
async function reap(r) {
  const dead = await r.spop("workers:dead");
  while (dead && (await r.lmove(dead, "jobs", "RIGHT", "RIGHT")) !== null);
}
async function dieWhileWaiting() {
  const r = connect();
  await r.ping();
  r.blmove("jobs", `working:${name()}`, "RIGHT", "LEFT", 1).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, below(3)));
  finish(r);
}
async function checkJobs(r) {
  const m = r.multi().get("jobs:made").lrange("jobs", 0, -1).smembers("jobs:done");
  for (const key of await scan(r, "working:*")) m.lrange(key, 0, -1);
  const [made, ...lists] = await exec(m);
  const jobs = lists.flat();
  assert.strictEqual(jobs.length, Number(made || 0));
  assert.strictEqual(new Set(jobs).size, jobs.length);
}
async function finishJobs(r) {
  for (const key of await scan(r, "working:*")) while ((await r.lmove(key, "jobs", "RIGHT", "RIGHT")) !== null);
  for (let job; (job = await r.blpop("jobs", 0.01)) !== null; ) assert.strictEqual(await r.sadd("jobs:done", job[1]), 1);
  assert.strictEqual(await r.scard("jobs:done"), Number((await r.get("jobs:made")) || 0));
  assert.strictEqual(await r.exists("jobs"), 0);
}

// -- a leaderboard
async function score(r) {
  const player = `player-${below(300)}`, points = pick([1, 5, 0.5, -2]);
  const [value, half, rank, top] = await exec(r.multi().zincrby("board", points, player).hincrby("points", player, points * 2)
    .zrevrank("board", player).zrevrange("board", 0, 9, "WITHSCORES"));
  assert.strictEqual(Number(value) * 2, half);
  const scores = top.filter((_, i) => i % 2).map(Number);
  assert.deepStrictEqual(scores, [...scores].sort((a, b) => b - a));
  assert.ok(rank >= 10 || (top[2 * rank] === player && scores[rank] === Number(value)), `${rank} ${top}`);
}
async function checkBoard(r) {
  const flat = await r.zrange("board", 0, -1, "WITHSCORES"), points = await r.hgetall("points");
  assert.strictEqual(flat.length / 2, Object.keys(points).length);
  assert.strictEqual(await r.zcard("board"), flat.length / 2);
  for (let i = 0; i < flat.length; i += 2) {
    assert.strictEqual(Number(flat[i + 1]) * 2, Number(points[flat[i]]));
    if (i) assert.ok(Number(flat[i - 1]) < Number(flat[i + 1]) || (flat[i - 1] === flat[i + 1] && flat[i - 2] < flat[i]));
  }
}

// -- a stream with a consumer group
async function addEvents(r) {
  const m = r.multi();
  for (let i = pick([1, 4]); i > 0; i--) m.incr("events:made").xadd("events", "*", "kind", pick(["a", "b"]), "n", below(1e6));
  await exec(m);
}
async function finishEvent(r, [id, fields]) {
  assert.deepStrictEqual([fields[0], fields[2], fields.length], ["kind", "n", 4]);
  const [acked, added] = await exec(r.multi().xack("events", "readers", id).sadd("events:done", id));
  assert.strictEqual(acked, added, id);
}
const consumer = (who) => async function read(r) {
  if (Math.random() < 0.2) {
    for (const event of (await r.xautoclaim("events", "readers", who, 30, "0-0", "COUNT", 5))[1]) await finishEvent(r, event);
    return;
  }
  const reply = await r.xreadgroup("GROUP", "readers", who, "COUNT", pick([1, 10]), "BLOCK", 20, "STREAMS", "events", ">");
  for (const [, events] of reply || []) for (const event of events) if (Math.random() > 0.1) await finishEvent(r, event);
};
async function checkEvents(r) {
  const [made, length, done, pending] = await exec(r.multi().get("events:made").xlen("events").scard("events:done").xpending("events", "readers"));
  const group = (await r.xinfo("GROUPS", "events"))[0];
  const lag = group[group.indexOf("lag") + 1];
  assert.strictEqual(length, Number(made || 0));
  assert.strictEqual(done + pending[0] + lag, length, JSON.stringify([made, done, pending, lag]));
}
async function finishEvents(r) {
  for (let reply; (reply = await r.xreadgroup("GROUP", "readers", "last", "COUNT", 100, "STREAMS", "events", ">")); )
    for (const event of reply[0][1]) await finishEvent(r, event);
  while ((await r.xpending("events", "readers"))[0] > 0)
    for (const event of (await r.xautoclaim("events", "readers", "last", 0, "0-0", "COUNT", 100))[1]) await finishEvent(r, event);
  assert.strictEqual(await r.scard("events:done"), await r.xlen("events"));
}

// -- all of them
async function repeat(step) {
  const r = connect();
  try {
    while (!gone) await step(r);
  } catch (error) {
    if (!gone && !/Connection is closed|ECONN|EPIPE|max retries|Stream isn't writeable/i.test(String(error))) throw error;
  }
}
async function run() {
  const r = connect();
  await r.xgroup("CREATE", "events", "readers", "0", "MKSTREAM").catch((e) => assert.match(e.message, /BUSYGROUP/));
  await Promise.all([sessions, produce, worker(), worker(), reap, dieWhileWaiting, score, addEvents, consumer("ann"), consumer("bob")].map(repeat));
}
async function check() {
  const r = connect();
  for (const f of [checkSessions, checkJobs, checkBoard, checkEvents, finishJobs, finishEvents, checkJobs, checkEvents]) await f(r);
}
({ run, check })[process.argv[3]]().then(() => {
  console.log("ok");
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
