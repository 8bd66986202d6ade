// The list of scenarios, by Node's ws.
//
//     client.mjs DIRECTORY ws://ADDRESS/ws        goes through the list
//     client.mjs DIRECTORY ws://ADDRESS/ws CUT    vanishes when that much of a message is sent
//
// DIRECTORY is where ws is installed. A line "ok: NAME" for each scenario, at the end one that tells how many
// connections there were; a deviation from what must come ends it with an exception. The server is tests/c/probe.c
// behind nginx.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createConnection } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [, , DIRECTORY, URL_, CUT] = process.argv;
const WebSocket = createRequire(join(DIRECTORY, "package.json"))("ws");
const LIMIT = 30_000; // milliseconds for anything that must come: generous, for busy machines
const LONGEST = 65535;
const PATTERN = "abcdefghijklmnopqrstuvwxyz".repeat(10_000);

let connections = 0;

function within(event, limit = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing comes")), limit);
  });
  return Promise.race([event, late]).finally(() => clearTimeout(timer));
}

// One connection, as a client that asserts what it receives: everything that happens to it waits in one queue.
class Visitor {
  static async connect() {
    connections++;
    const visitor = new Visitor();
    await within(once(visitor.socket, "open"));
    return visitor;
  }

  constructor() {
    this.events = [];
    this.wake = () => {};
    this.socket = new WebSocket(URL_);
    const happens = (event) => {
      this.events.push(event);
      this.wake();
    };
    this.socket.on("message", (data, binary) => happens(binary ? { binary: data } : { text: data.toString() }));
    this.socket.on("ping", (data) => happens({ ping: data }));
    this.socket.on("pong", (data) => happens({ pong: data }));
    this.socket.on("close", (code, reason) => happens({ code, reason: reason.toString() }));
    this.socket.on("error", (error) => happens({ error }));
  }

  async next() {
    while (this.events.length === 0) {
      await within(new Promise((resolve) => (this.wake = resolve)));
    }
    return this.events.shift();
  }

  send(message, options = {}) {
    return within(new Promise((resolve) => this.socket.send(message, options, resolve)));
  }

  async expect(wanted) {
    const event = await this.next();
    // Long messages make no good reading.
    if (wanted.text?.length > 200 && wanted.text === event.text) return;
    if (wanted.binary?.length > 200 && event.binary && wanted.binary.equals(event.binary)) return;
    assert.deepEqual(event, wanted);
  }

  async echo(message) {
    await this.send(message);
    await this.expect(typeof message === "string" ? { text: message } : { binary: message });
  }

  async ask(question) {
    await this.send(question);
    const { text } = await this.next();
    assert.equal(typeof text, "string", `no answer to ${question}`);
    return text;
  }

  // The server must close with that code, as the last thing that happens.
  async expectClose(code) {
    const event = await this.next();
    assert.equal(event.code, code, JSON.stringify(event));
    assert.deepEqual(this.events, [], "nothing comes behind it");
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    await this.expectClose(code ?? 1005);
  }

  leave() {
    return this.close(1001);
  }
}

const scenarios = {
  // First: all who are there are its own.
  async two_hundred() {
    const visitors = await Promise.all(Array.from({ length: 200 }, () => Visitor.connect()));
    const play = async (visitor, index) => {
      for (let number = 0; number < 5; number++) await visitor.echo(`${index} in round ${number}`);
    };
    await Promise.all(visitors.map(play));
    await visitors[0].send("!broadcast 0 3 1");
    for (const visitor of visitors) await visitor.expect({ text: "abc" });
    await visitors[0].expect({ text: "0 200" });
    await Promise.all(visitors.map((visitor) => visitor.leave()));
  },

  async text() {
    const visitor = await Visitor.connect();
    for (const message of ["hello", "a", "Grüße, \u{1f42d}!", "\0 and \u{10ffff}"]) await visitor.echo(message);
    await visitor.leave();
  },

  async binary() {
    const visitor = await Visitor.connect();
    await visitor.echo(Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
    await visitor.echo(Buffer.from([0xff, 0xfe]));
    await visitor.leave();
  },

  async empty() {
    const visitor = await Visitor.connect();
    await visitor.send("");
    await visitor.expect({ text: "empty 0" });
    await visitor.send(Buffer.alloc(0));
    await visitor.expect({ text: "empty 1" });
    await visitor.leave();
  },

  async long() {
    const visitor = await Visitor.connect();
    for (const length of [125, 126, 127, LONGEST - 1, LONGEST]) {
      await visitor.echo("x".repeat(length));
      await visitor.echo(Buffer.from(Array.from({ length }, (_, index) => index % 251)));
    }
    await visitor.leave();
  },

  async too_long() {
    const [witness, visitor] = [await Visitor.connect(), await Visitor.connect()];
    await visitor.send(Buffer.alloc(LONGEST + 1));
    await visitor.expectClose(1009);
    await witness.echo("as ever");
    await witness.leave();
  },

  async fragment() {
    const [witness, visitor] = [await Visitor.connect(), await Visitor.connect()];
    await visitor.send("a part", { fin: false });
    await visitor.expectClose(1003);
    await witness.echo("as ever");
    await witness.leave();
  },

  async in_parts() {
    const visitor = await Visitor.connect();
    for (const length of [LONGEST + 1, 200_000]) {
      await visitor.send(`!write 0 1 ${length} 1`);
      await visitor.expect({ binary: Buffer.from(PATTERN.slice(0, length)) });
      await visitor.expect({ text: `0 ${Math.ceil(length / LONGEST)}` });
    }
    await visitor.leave();
  },

  async pings() {
    const visitor = await Visitor.connect();
    for (const payload of ["", "p", "x".repeat(125)]) {
      visitor.socket.ping(payload);
      await visitor.expect({ pong: Buffer.from(payload) });
    }
    for (let number = 0; number < 5; number++) visitor.socket.ping(Buffer.from([number]));
    for (let number = 0; number < 5; number++) await visitor.expect({ pong: Buffer.from([number]) });
    await visitor.echo("as ever");
    visitor.socket.pong("unasked");
    await visitor.echo("as ever");
    assert.equal(await visitor.ask("!reads 0"), "3", "pings are no messages");
    await visitor.leave();
  },

  async client_closes() {
    // The last one gives no code: neither does the answer.
    for (const [code, reason] of [[1000, ""], [3001, "bye"], [4999, "Grüße"], []]) {
      const visitor = await Visitor.connect();
      await visitor.echo("hello");
      await visitor.close(code, reason);
    }
  },

  async server_closes() {
    const visitor = await Visitor.connect();
    await visitor.send("!last goodbye");
    await visitor.expect({ text: "goodbye" });
    await visitor.expectClose(1000);
  },

  async server_cuts() {
    const visitor = await Visitor.connect();
    await visitor.send("!close 0 1");
    await visitor.expectClose(1006);
  },

  async in_mid_message() {
    const witness = await Visitor.connect();
    for (const cut of [1, 3, 12, 40_000]) {
      connections++;
      const args = [fileURLToPath(import.meta.url), DIRECTORY, URL_, String(cut)];
      const [, signal] = await within(once(spawn(process.execPath, args, { stdio: "inherit" }), "exit"));
      assert.equal(signal, "SIGKILL", `vanishes after ${cut} bytes`);
      await witness.echo("as ever");
    }
    await witness.leave();
  },

  async never_reads() {
    const [count, window] = [10_000, 100];
    const [commander, reader] = [await Visitor.connect(), await Visitor.connect()];
    const { stuck, number } = await unread();
    // A message is known by its length: a thousand go by before the same one comes again.
    const message = (index) => PATTERN.slice(0, 1024 + (index % 997));
    const read = async () => {
      for (let index = 0; index < count; index++) await reader.expect({ text: message(index) });
    };
    const reading = read();
    for (let start = 0; start < count; start += window) {
      for (let index = start; index < start + window; index++) {
        await commander.send(`!broadcast 0 ${message(index).length} 1`);
      }
      for (let index = start; index < start + window; index++) {
        await commander.expect({ text: message(index) });
        await commander.expect({ text: "0 3" });
      }
    }
    await reading;
    const queued = Number(await commander.ask(`!qlen ${number}`));
    assert(queued > count / 2, `${queued}: the rest is in sockets`);
    await commander.echo("as ever");
    await commander.send(`!close ${number} 1`);
    await commander.expect({ text: "closed" });
    assert.equal(await commander.ask(`!qlen ${number}`), "0");
    stuck.destroy();
    await commander.leave();
    await reader.leave();
  },
};

// A TCP connection that is upgraded and not read behind that, and its number.
async function unread() {
  connections++;
  const { hostname, port } = new URL(URL_);
  const stuck = createConnection({ host: hostname, port });
  const head = ["GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"];
  head.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "");
  stuck.write(Buffer.concat([Buffer.from(head.join("\r\n")), Buffer.from("\x81\x83\0\0\0\0!id", "latin1")]));
  let answer = "";
  let number = null;
  while (number === null) {
    const [data] = await within(once(stuck, "data"));
    answer += data.toString("latin1");
    const frame = /\r\n\r\n\x81([\x01-\x09])(\d+)$/.exec(answer);
    if (frame && frame[2].length === frame[1].charCodeAt(0)) number = Number(frame[2]);
  }
  assert.match(answer, /^HTTP\/1\.1 101 /);
  stuck.pause();
  return { stuck, number };
}

async function vanish(cut) {
  const visitor = await Visitor.connect();
  await visitor.echo("hello");
  const frame = Buffer.alloc(14 + LONGEST);
  frame.set([0x82, 0xff]);
  frame.writeBigUInt64BE(BigInt(LONGEST), 2);
  visitor.socket._socket.write(frame.subarray(0, cut), () => process.kill(process.pid, "SIGKILL"));
}

if (CUT) {
  await vanish(Number(CUT));
} else {
  for (const [name, play] of Object.entries(scenarios)) {
    console.log(`begin: ${name}`);
    await within(play(), 4 * LIMIT);
    console.log(`ok: ${name}`);
  }
  console.log(`connections: ${connections}`);
}
