// What the programs share: the crash in the middle (programs.py), and waiting.
const assert = require("assert");
const readline = require("readline");

const lines = readline.createInterface({ input: process.stdin });

// The server saves, is killed, and is there again.
exports.crash = () => new Promise((resolve) => {
  lines.once("line", (line) => {
    assert.strictEqual(line, "restarted");
    resolve();
  });
  console.log("crash");
});

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Wait until condition() gives something that is true.
exports.until = async (what, condition) => {
  for (const end = Date.now() + 60000; ; await exports.sleep(10)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
  }
};

exports.run = (main) => main().then(() => {
  console.log("ok");
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
