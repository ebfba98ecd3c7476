// connect-redis with express-session, as a web server uses them, with a crash in the middle.
//   sessions.cjs PORT (programs.py)
const assert = require("assert");
const http = require("http");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient } = require("redis");
const { crash, run, until } = require("./crash.cjs");

const client = createClient({ socket: { port: Number(process.argv[2]), reconnectStrategy: () => 50 }, RESP: 3 });
client.on("error", () => {});
const store = new RedisStore({ client, prefix: "session:" });
const withSession = session({ store, secret: "a secret", resave: false, saveUninitialized: false, cookie: { maxAge: 3600000 } });
const pages = {
  "/visit": (s) => { s.visits = (s.visits || 0) + 1; s.name = s.name || "ü€"; },
  "/look": () => {},
  "/new": (s) => new Promise((resolve, reject) => s.regenerate((error) => (error ? reject(error) : resolve()))),
  "/leave": (s) => new Promise((resolve, reject) => s.destroy((error) => (error ? reject(error) : resolve()))),
};
const server = http.createServer((request, response) => withSession(request, response, async (error) => {
  try {
    if (error) throw error;
    await pages[request.url](request.session);
    response.end(JSON.stringify({ visits: request.session?.visits || 0, name: request.session?.name }));
  } catch (e) {
    response.statusCode = 500;
    response.end(String(e));
  }
}));

// A browser: it keeps its cookie.
function browser() {
  let cookie = "";
  return async (page) => {
    const reply = await fetch(`http://127.0.0.1:${server.address().port}${page}`, { headers: cookie ? { cookie } : {} });
    for (const given of reply.headers.getSetCookie()) cookie = given.split(";")[0];
    const text = await reply.text();
    assert.strictEqual(reply.status, 200, text);
    return JSON.parse(text);
  };
}

run(async () => {
  await client.connect();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const people = Array.from({ length: 30 }, browser);
  for (let n = 1; n <= 5; n++)
    for (const reply of await Promise.all(people.map((visit) => visit("/visit")))) assert.deepStrictEqual(reply, { visits: n, name: "ü€" });
  assert.deepStrictEqual(await people[0]("/leave"), { visits: 0 });
  assert.strictEqual(await store.length(), 29);
  const ids = (await store.ids()).sort();
  await crash();

  await until("its connection", () => client.isReady);
  assert.deepStrictEqual((await store.ids()).sort(), ids);
  assert.ok((await store.all()).every((s) => s.visits === 5 && s.name === "ü€"));
  for (const id of ids) {
    const left = await client.ttl(`session:${id}`);
    assert.ok(left > 3000 && left <= 3600, `${left} s`);
  }
  assert.deepStrictEqual(await people[0]("/look"), { visits: 0 }); // who has left is unknown
  for (const reply of await Promise.all(people.map((visit) => visit("/visit")))) assert.ok([1, 6].includes(reply.visits));
  assert.deepStrictEqual(await people[1]("/new"), { visits: 0 });
  assert.deepStrictEqual((await store.all()).map((s) => s.visits || 0).sort(), [0, 1, ...Array(28).fill(6)]);
  await store.clear();
  assert.deepStrictEqual([await store.length(), await people[2]("/look")], [0, { visits: 0 }]);
  await client.close();
});
