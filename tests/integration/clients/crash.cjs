// What the programs share: the crash in the middle (programs.py), and waiting.
const assert = require("assert");
const readline = require("readline");

const lines = readline.createInterface({ input: process.stdin });

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The server saves, is killed, and is there again.  That the old connections are closed is known to
// the kernel by then, and to the libraries after the next turn of the loop.
exports.crash = () => new Promise((resolve) => {
  lines.once("line", (line) => {
    assert.strictEqual(line, "restarted");
    exports.sleep(50).then(resolve);
  });
  process.stdout.write("crash\n");
});

// Wait until condition() gives something that is true.
exports.until = async (what, condition) => {
  for (const end = Date.now() + 60000; ; await exports.sleep(10)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
  }
};

exports.run = (main) => main().then(() => {
  process.stdout.write("ok\n");
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
