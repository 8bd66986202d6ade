// Compression, sub-protocols and long messages, by Node's ws.
//
//     full.mjs DIRECTORY SOCKET
//
// DIRECTORY is where ws is installed. A line "ok: NAME" for each scenario; a deviation from what must come ends it with
// an exception. The server is tests/c/beyond.c, which speaks chat.v2 and chat.v1, compresses, and takes four mebibytes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";

const [, , DIRECTORY, SOCKET] = process.argv;
const WebSocket = createRequire(join(DIRECTORY, "package.json"))("ws");
const LIMIT = 30_000; // milliseconds for anything that must come: generous, for busy machines
const TEXT = "Gr\u00fc\u00dfe, \u20ac! ".repeat(20_000);

function within(event) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing comes")), LIMIT);
  });
  return Promise.race([event, late]).finally(() => clearTimeout(timer));
}

async function visit(protocols, options, play) {
  const socket = new WebSocket(`ws+unix:${SOCKET}:/chat`, protocols, { maxPayload: 0, ...options });
  await within(once(socket, "open"));
  await play(socket);
  const closed = once(socket, "close");
  socket.close(3001);
  assert.equal((await within(closed))[0], 3001);
}

async function ask(socket, message, options) {
  const answer = once(socket, "message");
  socket.send(message, options);
  const [data, binary] = await within(answer);
  return binary ? data : data.toString();
}

async function echo(socket, message, options) {
  const answer = await ask(socket, message, options);
  const same = typeof message === "string" ? answer === message : message.equals(answer);
  assert.ok(same, `${answer.slice(0, 100)} instead of ${message.slice(0, 100)}`);
}

async function goThrough(socket) {
  for (const length of [0, 1, 63, 64, 125, 126, 1023, 1024, 65535, 65536, 200_000]) {
    await echo(socket, TEXT.slice(0, length));
    await echo(socket, Buffer.from(TEXT).subarray(0, length));
    await echo(socket, TEXT.slice(0, length), { compress: false });
  }
}

const scenarios = {
  async compression() {
    for (const perMessageDeflate of [
      true,
      { threshold: 0 },
      { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
      { serverMaxWindowBits: 9, threshold: 0 },
      { serverMaxWindowBits: 12, clientMaxWindowBits: 10, threshold: 0 },
      { clientMaxWindowBits: 15 },
    ]) {
      await visit([], { perMessageDeflate }, async (socket) => {
        assert.match(socket.extensions, /^permessage-deflate/);
        await goThrough(socket);
      });
    }
  },

  async none() {
    await visit([], { perMessageDeflate: false }, async (socket) => {
      assert.equal(socket.extensions, "");
      await goThrough(socket);
    });
  },

  async protocols() {
    for (const [offers, chosen] of [
      [["chat.v1"], "chat.v1"],
      [["chat.v1", "chat.v2"], "chat.v2"],
      [["mqtt", "chat.v1"], "chat.v1"],
      [[], ""],
    ]) {
      await visit(offers, {}, async (socket) => {
        assert.equal(socket.protocol, chosen);
        assert.equal(await ask(socket, "!protocol 0"), `[${chosen}]`);
      });
    }
  },

  async long() {
    await visit([], {}, async (socket) => {
      for (const length of [1 << 20, 4 << 20]) {
        await echo(socket, "x".repeat(length));
        await echo(socket, Buffer.alloc(length, "0123456789"));
      }
    });
    const socket = new WebSocket(`ws+unix:${SOCKET}:/chat`);
    await within(once(socket, "open"));
    socket.on("error", () => {});
    socket.send("x".repeat((4 << 20) + 1), { compress: false });
    assert.equal((await within(once(socket, "close")))[0], 1009);
  },

  async fragments() {
    await visit([], { perMessageDeflate: { threshold: 0 } }, async (socket) => {
      const answer = once(socket, "message");
      const wanted = [];
      for (let number = 0; number < 100; number++) {
        wanted.push(`part ${number} of a message; `);
        socket.send(wanted[number], { fin: number === 99 });
        if (number % 10 === 0) socket.ping("between");
      }
      assert.equal((await within(answer))[0].toString(), wanted.join(""));
    });
  },

  async reasons() {
    const socket = new WebSocket(`ws+unix:${SOCKET}:/chat`);
    await within(once(socket, "open"));
    socket.send("!closecode 0 4001 Gr\u00fc\u00dfe");
    const [code, reason] = await within(once(socket, "close"));
    assert.deepEqual([code, reason.toString()], [4001, "Gr\u00fc\u00dfe"]);
  },
};

for (const [name, play] of Object.entries(scenarios)) {
  console.log(`begin: ${name}`);
  await play();
  console.log(`ok: ${name}`);
}
