// A test client on grpc-js: runs the cases against each address, prints a line of JSON for each.
// node client.js --proto FILE --transport KIND --certs FOLDER --scale short|full --cases A,B --at direct=HOST:PORT ...
"use strict";

const assert = require("node:assert/strict");
const grpc = require("@grpc/grpc-js");
const common = require("./common.js");

const given = common.options(process.argv.slice(2));
const testing = common.load(given.proto[0]);
const kind = (given.transport || ["plaintext"])[0];
const certs = (given.certs || ["."])[0];

const OK = 0, CANCELLED = 1, UNKNOWN = 2, DEADLINE_EXCEEDED = 4, UNIMPLEMENTED = 12;
const GZIP = 2;
const UP = 271828, DOWN = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";
const CASE_LIMIT_MS = 60000;
const SHORT = { many: 150, largeAtOnce: 8, veryLarge: 6 << 20, soakS: 0.2, longLivedS: 0.3, channels: 5, streams: 130 };
const FULL = { many: 3000, largeAtOnce: 300, veryLarge: 32 << 20, soakS: 5, longLivedS: 8, channels: 100, streams: 300 };

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const zeros = (size) => ({ body: Buffer.alloc(size) });
const size = (message) => (message === null ? -1 : message.payload.body.length);

function connect(address, more = {}, Client = testing.TestService) {
  return new Client(address, common.clientCredentials(kind, certs), {
    "grpc.max_receive_message_length": common.BIG,
    "grpc.max_send_message_length": common.BIG,
    "grpc.ssl_target_name_override": "localhost",
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
    ...more,
  });
}

/** Collect what a call says around its messages. */
function watch(call) {
  const outcome = { code: OK, details: "", initial: new grpc.Metadata(), trailing: new grpc.Metadata(), message: null };
  call.on("metadata", (metadata) => { outcome.initial = metadata; });
  call.on("error", () => {});
  outcome.ended = new Promise((done) => {
    call.on("status", (status) => {
      outcome.code = status.code;
      outcome.details = status.details;
      outcome.trailing = status.metadata;
      done(outcome);
    });
  });
  return outcome;
}

/** Make a call with one answer; `begin` starts it with the callback that it is given. */
async function single(begin) {
  let message = null;
  const outcome = watch(begin((error, answer) => { message = error ? null : answer; }));
  await outcome.ended;
  // The status may be told before the callback; both come in one turn.
  await new Promise((done) => setImmediate(done));
  outcome.message = message;
  return outcome;
}

function metadata(pairs) {
  const result = new grpc.Metadata();
  for (const [name, value] of pairs) result.add(name, value);
  return result;
}

function unary(client, request, pairs = [], method = "UnaryCall") {
  return single((callback) => client[method](request, metadata(pairs), callback));
}

/** A call whose answers come one by one. */
class Stream {
  constructor(call) {
    this.call = call;
    this.outcome = watch(call);
    this.queue = [];
    this.waiting = null;
    call.on("data", (message) => this.put(message));
    this.outcome.ended.then(() => setImmediate(() => this.put(null)));
  }

  put(message) {
    if (this.waiting) { const waiting = this.waiting; this.waiting = null; waiting(message); }
    else this.queue.push(message);
  }

  receive() {
    if (this.queue.length) return Promise.resolve(this.queue.shift());
    return new Promise((done) => { this.waiting = done; });
  }
}

function asking(sizes, { up = 0, intervalUs = 0 } = {}) {
  return { payload: zeros(up), response_parameters: sizes.map((each) => ({ size: each, interval_us: intervalUs })) };
}

function expect(outcome, code = OK, details = null) {
  assert.equal(outcome.code, code, `status ${outcome.code} (${outcome.details}) instead of ${code}`);
  if (details !== null) assert.equal(outcome.details, details);
  return outcome;
}

async function large(client, up = UP, down = DOWN, pairs = []) {
  const outcome = expect(await unary(client, { response_size: down, payload: zeros(up) }, pairs));
  assert.equal(size(outcome.message), down);
  return outcome;
}

async function expectSizes(stream, sizes) {
  for (const each of [...sizes, -1]) assert.equal(size(await stream.receive()), each);
  return expect(await stream.outcome.ended);
}

function assertEchoed(outcome, value, bytes) {
  assert.deepEqual(outcome.initial.get(common.ECHO_INITIAL), [value]);
  assert.deepEqual(outcome.trailing.get(common.ECHO_TRAILING), [bytes]);
}

/** Make a call, so that the client knows its peer's SETTINGS before it floods it. */
async function warmUp(client) {
  expect(await unary(client, {}, [], "EmptyCall"));
}

const cases = {
  async empty_unary({ client }) {
    assert.deepEqual(expect(await unary(client, {}, [], "EmptyCall")).message, {});
  },
  async large_unary({ client }) { await large(client); },
  async client_compressed_unary({ client, again }) {
    await large(again({ "grpc.default_compression_algorithm": GZIP }));
    await large(client);
  },
  async server_compressed_unary({ client }) {
    for (const value of [true, false]) {
      const request = { response_size: DOWN, payload: zeros(UP), response_compressed: { value } };
      assert.equal(size(expect(await unary(client, request)).message), DOWN);
    }
  },
  async client_compressed_streaming({ again }) {
    const client = again({ "grpc.default_compression_algorithm": GZIP });
    const outcome = await single((callback) => {
      const call = client.StreamingInputCall(callback);
      call.write({ payload: zeros(27182) });
      call.write({ payload: zeros(45904) });
      call.end();
      return call;
    });
    assert.equal(expect(outcome).message.aggregated_payload_size, 73086);
  },
  async server_compressed_streaming({ client }) {
    const request = asking([31415, 92653]);
    request.response_parameters[0].compressed = { value: true };
    request.response_parameters[1].compressed = { value: false };
    await expectSizes(new Stream(client.StreamingOutputCall(request)), [31415, 92653]);
  },
  async client_streaming({ client }) {
    const outcome = await single((callback) => {
      const call = client.StreamingInputCall(callback);
      for (const each of REQUEST_SIZES) call.write({ payload: zeros(each) });
      call.end();
      return call;
    });
    assert.equal(expect(outcome).message.aggregated_payload_size, 74922);
  },
  async server_streaming({ client }) {
    await expectSizes(new Stream(client.StreamingOutputCall(asking(RESPONSE_SIZES))), RESPONSE_SIZES);
  },
  async ping_pong({ client }) {
    const stream = new Stream(client.FullDuplexCall());
    for (let index = 0; index < 4; index += 1) {
      stream.call.write(asking([RESPONSE_SIZES[index]], { up: REQUEST_SIZES[index] }));
      assert.equal(size(await stream.receive()), RESPONSE_SIZES[index]);
    }
    stream.call.end();
    await expectSizes(stream, []);
  },
  async empty_stream({ client }) {
    const stream = new Stream(client.FullDuplexCall());
    stream.call.end();
    await expectSizes(stream, []);
  },
  async custom_metadata({ client }) {
    const value = "test_initial_metadata_value", bytes = Buffer.from("ababab", "hex");
    const pairs = [[common.ECHO_INITIAL, value], [common.ECHO_TRAILING, bytes]];
    assertEchoed(await large(client, UP, DOWN, pairs), value, bytes);
    const stream = new Stream(client.FullDuplexCall(metadata(pairs)));
    stream.call.write(asking([DOWN], { up: UP }));
    stream.call.end();
    assertEchoed(await expectSizes(stream, [DOWN]), value, bytes);
  },
  async status_code_and_message({ client }) {
    const asked = { code: UNKNOWN, message: "test status message" };
    expect(await unary(client, { response_status: asked }), UNKNOWN, asked.message);
    const stream = new Stream(client.FullDuplexCall());
    stream.call.write({ response_status: asked });
    stream.call.end();
    expect(await stream.outcome.ended, UNKNOWN, asked.message);
  },
  async special_status_message({ client }) {
    expect(await unary(client, { response_status: { code: UNKNOWN, message: SPECIAL } }), UNKNOWN, SPECIAL);
  },
  async unimplemented_method({ client }) {
    expect(await unary(client, {}, [], "UnimplementedCall"), UNIMPLEMENTED);
  },
  async unimplemented_service({ again }) {
    expect(await unary(again({}, testing.UnimplementedService), {}, [], "UnimplementedCall"), UNIMPLEMENTED);
  },
  async cancel_after_begin({ client }) {
    const stream = new Stream(client.FullDuplexCall());
    await new Promise((done) => setImmediate(done));
    stream.call.cancel();
    expect(await stream.outcome.ended, CANCELLED);
  },
  async cancel_after_first_response({ client }) {
    const stream = new Stream(client.FullDuplexCall());
    stream.call.write(asking([31415], { up: 27182 }));
    assert.equal(size(await stream.receive()), 31415);
    stream.call.cancel();
    expect(await stream.outcome.ended, CANCELLED);
  },
  async timeout_on_sleeping_server({ client }) {
    const stream = new Stream(client.FullDuplexCall({ deadline: Date.now() + 1 }));
    stream.call.write(asking([], { up: 27182 }));
    expect(await stream.outcome.ended, DEADLINE_EXCEEDED);
  },
  async orca_per_rpc({ client }) {
    const report = {
      cpu_utilization: 0.821, memory_utilization: 0.5847,
      request_cost: { cost: 3456.32 }, utilization: { util: 0.30499 },
    };
    const outcome = expect(await unary(client, { orca_per_query_report: report }));
    const bytes = common.reportBytes(testing.TestService.service, report);
    assert.deepEqual(outcome.trailing.get(common.LOAD_COPY), [bytes]);
    assert.deepEqual(outcome.trailing.get(common.LOAD_REPORT), [bytes]);
  },
  async message_of_4_mib({ client }) { await large(client, (4 << 20) - 64, (4 << 20) - 64); },
  async very_large_request({ client, scale }) { await large(client, scale.veryLarge, scale.veryLarge / 2); },
  async metadata_of_63_kb({ client }) {
    const value = "m".repeat(63000);
    const outcome = expect(await unary(client, { response_size: 1 }, [[common.ECHO_INITIAL, value]]));
    assert.deepEqual(outcome.initial.get(common.ECHO_INITIAL), [value]);
  },
  async concurrent_large_unary({ client, scale }) {
    await warmUp(client);
    await Promise.all(Array.from({ length: scale.largeAtOnce }, () => large(client)));
  },
  async many_calls({ client, scale }) {
    await warmUp(client);
    await Promise.all(Array.from({ length: scale.many }, () => large(client, 10, 20)));
  },
  async many_timeouts({ client, scale }) {
    await warmUp(client);
    await Promise.all(Array.from({ length: scale.many }, async (_, number) => {
      const deadline = Date.now() + 20 + (number % 10) * 2;
      const stream = new Stream(client.StreamingOutputCall(asking([1], { intervalUs: 20000000 }), { deadline }));
      expect(await stream.outcome.ended, DEADLINE_EXCEEDED);
    }));
    await large(client);
  },
  async more_than_max_streams({ client, scale }) {
    await warmUp(client);
    await Promise.all(Array.from({ length: scale.streams }, () =>
      expectSizes(new Stream(client.StreamingOutputCall(asking([1, 1], { intervalUs: 10000 }))), [1, 1])));
  },
  async rpc_soak({ client, scale }) {
    const until = Date.now() + scale.soakS * 1000;
    while (Date.now() < until) await large(client, 1000, 1000);
  },
  async channel_soak({ again, scale }) {
    for (let number = 0; number < scale.channels; number += 1) {
      const client = again();
      await large(client, 1000, 1000);
      client.close();
    }
  },
  async long_lived_stream({ client, scale }) {
    const stream = new Stream(client.FullDuplexCall());
    for (let number = 0; number < 4; number += 1) {
      stream.call.write(asking([1000], { up: 1000 }));
      assert.equal(size(await stream.receive()), 1000);
      await pause(scale.longLivedS * 250);
    }
    stream.call.end();
    await expectSizes(stream, []);
  },
};

async function runCase(name, address, scale) {
  const clients = [];
  const again = (more, Client) => { clients.push(connect(address, more, Client)); return clients.at(-1); };
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("no end in time")), CASE_LIMIT_MS); });
  try {
    await Promise.race([cases[name]({ client: again(), again, scale }), late]);
    return ["passed", ""];
  } catch (error) {
    return ["failed", `${error.name}: ${error.message}`];
  } finally {
    clearTimeout(timer);
    for (const client of clients) client.close();
  }
}

async function main() {
  const scale = (given.scale || ["short"])[0] === "full" ? FULL : SHORT;
  const names = given.cases ? given.cases[0].split(",") : Object.keys(cases);
  for (const place of given.at) {
    const [path, address] = place.split("=");
    for (const name of names) {
      const began = Date.now();
      const [result, why] = await runCase(name, address, scale);
      console.log(JSON.stringify({ path, case: name, result, why, took_s: (Date.now() - began) / 1000 }));
    }
  }
  process.exit(0);
}

main();
