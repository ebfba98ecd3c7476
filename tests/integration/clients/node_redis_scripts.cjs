// Scripts of the redis package, in RESP 2 and through TLS in RESP 3, with a crash in the middle.
//   node_redis_scripts.cjs PORT TLS_PORT DIRECTORY_OF_CERTIFICATES (programs.py)
const assert = require("assert");
const fs = require("fs");
const { createClient, createClientPool, createCluster, createSentinel, defineScript, RESP_TYPES } = require("redis");
const { crash, run, until } = require("./crash.cjs");

const [port, tlsPort] = process.argv.slice(2, 4).map(Number);
const certificate = (name) => fs.readFileSync(`${process.argv[4]}/${name}`);
const tls = { tls: true, host: "localhost", servername: "localhost", ca: certificate("ca.crt"), cert: certificate("client.crt"), key: certificate("client.key") };
console.log = console.error; // the library writes there when it finds no sentinel
const reconnectStrategy = () => 50;

const scripts = {
  // Add to a score, and say the rank with it; what falls out of the first n is dropped.
  score: defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: `
      local score = redis.call('ZINCRBY', KEYS[1], ARGV[2], ARGV[1])
      redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(tonumber(ARGV[3]) + 1))
      return {score, redis.call('ZREVRANK', KEYS[1], ARGV[1])}`,
    parseCommand(parser, key, member, by, most) {
      parser.pushKey(key);
      parser.push(member, String(by), String(most));
    },
    transformReply: ([score, rank]) => ({ score: Number(score), rank }),
  }),
  types: defineScript({
    NUMBER_OF_KEYS: 0,
    SCRIPT: `redis.setresp(3)
      return {redis.call('HGETALL', 'a hash of nobody'), {double = 1.5}, true, {map = {n = 1}}, false}`,
    parseCommand() {},
    transformReply: undefined,
  }),
};

// A library of functions: it is data, and there after the crash.
const code = `#!lua name=bags
  redis.register_function('put', function(keys, args)
    return {map = {added = redis.call('SADD', keys[1], unpack(args)), size = redis.call('SCARD', keys[1])}}
  end)
  redis.register_function{function_name='has', callback=function(keys, args) return redis.call('SISMEMBER', keys[1], args[1]) == 1 end,
                          flags={'no-writes', 'allow-stale'}, description='is it there?'}`;
const parseCommand = (parser, key, ...members) => {
  parser.pushKey(key);
  parser.push(...members);
};
const functions = { bags: {
  put: { NUMBER_OF_KEYS: 1, parseCommand, transformReply: { 2: ([, added, , size]) => [added, size], 3: ({ added, size }) => [added, size] } },
  has: { NUMBER_OF_KEYS: 1, IS_READ_ONLY: true, parseCommand, transformReply: { 2: (reply) => reply === 1, 3: (reply) => reply === 1 } },
} };

async function connect(options) {
  const r = createClient({ scripts, functions, ...options, socket: { port, reconnectStrategy, ...options.socket } });
  r.on("error", () => {});
  return r.connect();
}

async function use(r, name) {
  assert.deepStrictEqual(await r.score(`${name}:board`, "ann", 5, 3), { score: 5, rank: 0 });
  const replies = await Promise.all(Array.from({ length: 300 }, (_, i) => r.score(`${name}:board`, `p${i % 6}`, 1 + i % 6, 3)));
  assert.ok(replies.every(({ rank }) => rank === null || rank < 3));
}
async function useAgain(r, name, RESP) {
  const [first] = await r.zRangeWithScores(`${name}:board`, 0, 0, { REV: true });
  assert.strictEqual(first.value, "p5");
  await r.scriptFlush();
  assert.deepStrictEqual(await r.score(`${name}:board`, "p5", 1, 3), { score: first.score + 1, rank: 0 });
  const plain = (map) => JSON.parse(JSON.stringify(map)); // its maps have no prototype
  const types = RESP === 3 ? [{}, 1.5, true, { n: 1 }, false] : [[], "1.5", 1, ["n", 1], 0];
  assert.deepStrictEqual(plain(await r.types()), types);
  await r.scriptFlush("ASYNC");
  assert.deepStrictEqual(await r.multi().score(`${name}:board`, "p5", 1, 3).zCard(`${name}:board`).exec(), [{ score: first.score + 2, rank: 0 }, 3]);
  const sha = await r.scriptLoad("return redis.call('GET', KEYS[1])");
  assert.deepStrictEqual(await r.scriptExists([sha, "f".repeat(40)]), [1, 0]);
  assert.strictEqual(await r.evalSha(sha, { keys: [`${name}:none`] }), null);
  await assert.rejects(r.eval("return redis.call('HGET', KEYS[1], 'f')", { keys: [`${name}:board`] }), /WRONGTYPE/);
  await assert.rejects(r.evalRo("return redis.call('DEL', KEYS[1])", { keys: [`${name}:board`] }), /Write commands are not allowed/);
}

async function load(r) {
  assert.strictEqual(await r.functionLoad(code), "bags");
  await assert.rejects(r.functionLoad(code), /already exists/);
}
async function call(r, name, before) {
  const members = Array.from({ length: 10 }, (_, n) => `${before}-${n}`);
  assert.deepStrictEqual(await r.bags.put(`${name}:bag`, ...members), [10, before + 10]);
  assert.deepStrictEqual([await r.bags.has(`${name}:bag`, "0-3"), await r.bags.has(`${name}:bag`, "none")], [true, false]);
  const [library] = await r.functionListWithCode({ LIBRARYNAME: "bags" });
  assert.deepStrictEqual([library.library_code, library.functions.length], [code, 2]);
  await assert.rejects(r.fCallRo("put", { keys: [`${name}:bag`], arguments: ["x"] }), /Can not execute a script with write flag/);
}
async function restore(r, name) {
  const kept = await r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).functionDump();
  await r.functionFlush();
  await assert.rejects(r.bags.has(`${name}:bag`, "x"), /Function not found/);
  await r.functionRestore(kept);
  assert.strictEqual(await r.bags.has(`${name}:bag`, "10-9"), true);
}

// A pool, of which one connection waits for a list.
async function pooled() {
  const pool = createClientPool({ scripts, socket: { ...tls, port: tlsPort, reconnectStrategy } }, { minimum: 2, maximum: 4 });
  pool.on("error", () => {});
  await pool.connect();
  const results = await Promise.all(Array.from({ length: 100 }, () => pool.incr("pool:sum")));
  assert.strictEqual(Math.max(...results), 100);
  const waits = pool.blPop("pool:list", 60);
  await pool.rPush("pool:list", "one");
  assert.deepStrictEqual({ ...(await waits) }, { key: "pool:list", element: "one" });

  return async () => {
    assert.strictEqual(await until("the pool", () => pool.incr("pool:sum").catch(() => null)), 101);
    pool.destroy();
  };
}

// There is no cluster and no sentinel here, and both are told.
async function others() {
  const said = [];
  const say = (error) => said.push(String(error));
  const cluster = createCluster({ rootNodes: [{ socket: { port, reconnectStrategy: false } }] });
  cluster.on("error", say);
  await assert.rejects(cluster.connect());
  assert.ok(said.some((text) => /ERR This instance has cluster support disabled/.test(text)), String(said));
  const sentinel = createSentinel({ name: "mymaster", sentinelRootNodes: [{ host: "127.0.0.1", port }], maxCommandRediscovers: 1 });
  sentinel.on("error", say);
  await assert.rejects(sentinel.connect());
  assert.ok(said.some((text) => /ERR unknown command 'SENTINEL'/.test(text)), String(said));
}

run(async () => {
  const clients = [["two", 2, {}], ["three", 3, { ...tls, port: tlsPort }]];
  await assert.rejects(connect({ socket: { ...tls, port: tlsPort, ca: certificate("other-ca.crt"), reconnectStrategy: false } }));
  for (const client of clients) client.push(await connect({ RESP: client[1], socket: client[2] }));
  for (const [name, , , r] of clients) await use(r, name);
  for (const [name, RESP, , r] of clients) await useAgain(r, name, RESP);
  await others();
  await load(clients[0][3]);
  for (const [name, , , r] of clients) await call(r, name, 0);
  const rest = await pooled();
  await crash();
  for (const [name, RESP, , r] of clients) {
    await until("its connection", () => r.isReady);
    await useAgain(r, name, RESP);
    await call(r, name, 10);
    await restore(r, name);
  }
  await rest();
});
