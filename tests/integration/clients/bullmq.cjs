// BullMQ as a program uses it, with a crash in the middle.  bullmq.cjs PORT (programs.py)
const assert = require("assert");
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");
const Redis = require("ioredis");
const { crash, run, until } = require("./crash.cjs");

const connection = { port: Number(process.argv[2]), maxRetriesPerRequest: null, retryStrategy: () => 50 };
const open = [];
if (process.argv[3] === "redis") {
  const { createNodeRedisClient, RedisConnection } = require("bullmq");
  RedisConnection.clientFactory = () => createNodeRedisClient(require("redis").createClient({ socket: { port: connection.port, reconnectStrategy: () => 50 } }));
}

// Each of them reconnects by itself, and says so as an error that nobody needs.
function made(thing) {
  thing.on("error", () => {});
  open.push(thing);
  return thing;
}
const queue = (name, options) => made(new Queue(name, { connection, ...options }));
const worker = (name, work, options) => made(new Worker(name, work, { connection, runRetryDelay: 50, ...options }));

// What runs is counted by job: none is lost, none is done twice.
const done = new Map();
const keyOf = (job) => `${job.queueName}:${job.id}`;
const count = (job) => done.set(keyOf(job), times(job) + 1);
const times = (job) => done.get(keyOf(job)) || 0;
// What a clock begins must not be done between the last save and the kill: it would be done again.
async function hold(...queues) {
  for (const q of queues) {
    await q.pause();
    await until("jobs in hand", async () => (await q.getActiveCount()) === 0);
  }
}
const isIn = (job, state) => async () => (await job.getState()) === state;

// -- a queue with several workers, and its events
async function work() {
  const q = queue("work");
  const events = made(new QueueEvents("work", { connection }));
  await events.waitUntilReady();
  const told = new Map();
  events.on("completed", ({ jobId, returnvalue }) => told.set(jobId, returnvalue));
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  for (let i = 0; i < 2; i++)
    worker("work", async (job) => {
      count(job);
      if (job.name === "held") await released;
      await job.updateProgress(50);
      await job.log(`n is ${job.data.n}`);
      return { square: job.data.n ** 2 };
    }, { concurrency: 4 });
  const jobs = await q.addBulk(Array.from({ length: 200 }, (_, n) => ({ name: "square", data: { n } })));
  await until("200 results", () => told.size === jobs.length);
  for (const job of jobs) {
    assert.deepStrictEqual(told.get(job.id), { square: job.data.n ** 2 });
    assert.strictEqual(times(job), 1);
  }
  const one = await q.getJob(jobs[7].id);
  assert.deepStrictEqual([one.progress, one.returnvalue, one.attemptsMade], [50, { square: 49 }, 1]);
  assert.deepStrictEqual(await q.getJobLogs(one.id), { logs: ["n is 7"], count: 1 });
  const held = await q.addBulk([{ name: "held", data: { n: 300 } }, { name: "held", data: { n: 301 } }]);
  await until("the held jobs", async () => (await q.getActiveCount()) === held.length);

  return async () => {
    assert.deepStrictEqual(await q.getJobCounts("active", "completed", "failed", "wait"), { active: 2, completed: 200, failed: 0, wait: 0 });
    release();
    const later = await q.add("square", { n: 12 });
    assert.deepStrictEqual(await later.waitUntilFinished(events, 60000), { square: 144 });
    for (const job of held) await until("a held job", isIn(job, "completed"));
    assert.deepStrictEqual(await q.getJobCounts("active", "completed"), { active: 0, completed: 203 });
    for (const job of [...jobs, ...held, later]) assert.strictEqual(times(job), 1);
    let cleaned = 0;
    await until("no completed job", async () => (cleaned += (await q.clean(0, 1000, "completed")).length) === 203);
  };
}

// -- jobs that fail
async function failures() {
  const q = queue("failures");
  worker("failures", async (job) => {
    count(job);
    if (job.data.fails >= times(job)) throw new Error(`failure ${times(job)}`);
    return "well";
  });
  const fixed = await q.add("fixed", { fails: 2 }, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
  const growing = await q.add("growing", { fails: 2 }, { attempts: 3, backoff: { type: "exponential", delay: 20 } });
  const fails = await q.add("fails", { fails: 3 }, { attempts: 2, backoff: 10 });
  for (const job of [fixed, growing]) {
    await until("a third attempt", isIn(job, "completed"));
    assert.strictEqual((await q.getJob(job.id)).attemptsMade, 3);
  }
  await until("the failed job", isIn(fails, "failed"));
  const waits = await q.add("waits", { fails: 1 }, { attempts: 2, backoff: 1500 });
  await until("its first failure", () => times(waits) > 0);
  await hold(q);

  return async () => {
    await q.resume();
    const [failed] = await q.getFailed();
    assert.deepStrictEqual([failed.id, failed.failedReason, failed.attemptsMade], [fails.id, "failure 2", 2]);
    await failed.retry();
    await until("a failure after the retry", async () => times(fails) === 3 && (await failed.isFailed()));
    await q.retryJobs();
    await until("its success", isIn(fails, "completed"));
    await until("a success after the backoff", isIn(waits, "completed"));
    assert.deepStrictEqual([fixed, growing, fails, waits].map(times), [3, 3, 4, 2]);
  };
}

// -- delayed jobs, jobs with priorities, a queue that stands still
async function order() {
  const q = queue("order"), seen = [];
  await q.pause();
  const add = (name, options) => q.add(name, {}, options);
  await add("third", { priority: 30 });
  await add("first", { priority: 10 });
  await add("second", { priority: 20 });
  await add("before all", {});
  const delayed = [await add("delayed", { delay: 1500, priority: 1 }), await add("in an hour", { delay: 3600000 })];
  worker("order", async (job) => {
    count(job);
    seen.push(job.name);
    assert.ok(job.name !== "delayed" || Date.now() >= job.timestamp + 1500);
  }, { concurrency: 1 });
  const twice = await Promise.all([0, 1, 2].map(() => q.add("once", {}, { priority: 40, deduplication: { id: "one of three" } })));
  assert.strictEqual(new Set(twice.map((job) => job.id)).size, 1);

  return async () => {
    assert.ok(await q.isPaused());
    assert.deepStrictEqual(seen, []);
    const counts = await q.getJobCounts("waiting", "prioritized", "delayed");
    assert.deepStrictEqual([counts.waiting, counts.prioritized + counts.delayed, counts.delayed >= 1], [1, 6, true]);
    await q.resume();
    await until("all but one", () => seen.length === 6);
    assert.deepStrictEqual(seen.filter((name) => name !== "delayed"), ["before all", "first", "second", "third", "once"]);
    await delayed[1].promote();
    await until("the promoted job", () => seen.includes("in an hour"));
    await until("their ends", async () => (await q.getCompletedCount()) === 7);
    assert.ok([...done].every(([key, n]) => !key.startsWith("order:") || n === 1));
  };
}

// -- a job that waits for others
async function flows() {
  const q = queue("parts"), parents = queue("wholes");
  const flow = made(new FlowProducer({ connection }));
  const child = (n) => ({ name: "part", queueName: "parts", data: { n } });
  worker("parts", async (job) => { count(job); return job.data.n; });
  worker("wholes", async (job) => {
    count(job);
    return Object.values(await job.getChildrenValues()).reduce((sum, n) => sum + n, 0);
  });
  const { job: whole } = await flow.add({ name: "sum", queueName: "wholes", children: [1, 2, 3].map(child) });
  await until("the sum", isIn(whole, "completed"));
  assert.strictEqual((await parents.getJob(whole.id)).returnvalue, 6);
  const half = await flow.add({ name: "sum", queueName: "wholes", children: [child(4), { ...child(5), opts: { delay: 1500 } }] });
  await until("its first part", async () => (await half.job.getDependenciesCount({ processed: true })).processed >= 1);
  await hold(q, parents);

  return async () => {
    await Promise.all([q.resume(), parents.resume()]);
    await until("the sum after the crash", isIn(half.job, "completed"));
    assert.strictEqual((await parents.getJob(half.job.id)).returnvalue, 9);
    for (const [key, n] of done) assert.ok(!/^(parts|wholes):/.test(key) || n === 1, key);
    assert.strictEqual(await q.getCompletedCount(), 5);
  };
}

// -- a limit of so many jobs in so much time; jobs again and again
async function clocks() {
  const q = queue("limited"), repeated = queue("repeated"), asked = [], began = [];
  worker("limited", async (job) => { asked.push(job.processedOn); began.push(Date.now()); }, { limiter: { max: 2, duration: 300 } });
  await q.addBulk(Array.from({ length: 6 }, () => ({ name: "one", data: {} })));
  let ticks = 0;
  worker("repeated", async (job) => { assert.deepStrictEqual(job.data, { of: "a clock" }); ticks++; });
  await repeated.upsertJobScheduler("clock", { every: 100 }, { name: "tick", data: { of: "a clock" } });
  await repeated.upsertJobScheduler("never", { pattern: "0 0 1 1 *" }, { name: "tick" });
  await until("three ticks", () => ticks >= 3);
  await hold(repeated);
  await until("the limited jobs", async () => (await q.getCompletedCount()) === 6);
  assert.ok(began[5] - asked[0] >= 590, `${began} ${asked}`); // two whole spans

  return async () => {
    const before = ticks;
    await repeated.resume();
    await until("more ticks", () => ticks >= before + 3);
    assert.strictEqual(await repeated.getJobSchedulersCount(), 2);
    assert.ok(await repeated.removeJobScheduler("clock"));
    assert.deepStrictEqual((await repeated.getJobSchedulers()).map((s) => [s.key, s.pattern]), [["never", "0 0 1 1 *"]]);
    await q.add("late", {});
    await until("a job after the crash", async () => (await q.getCompletedCount()) === 7);
    assert.strictEqual(began.length, 7);
  };
}

run(async () => {
  const rest = await Promise.all([work(), failures(), order(), flows(), clocks()]);
  await crash();
  await Promise.all(rest.map((part) => part()));
  const queues = open.filter((thing) => thing instanceof Queue);
  await Promise.all(open.filter((thing) => thing instanceof Worker).map((w) => w.close()));
  const client = new Redis(connection);
  for (const q of queues) {
    await q.obliterate({ force: true });
    await until("a limit's end", async () => (await client.keys(`bull:${q.name}:*`)).length === 0);
  }
  await Promise.all(open.map((thing) => thing.close()));
});
