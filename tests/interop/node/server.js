// A test server on grpc-js. Prints its port.
// node server.js --proto FILE --port 0 --transport plaintext|tls|mtls --certs FOLDER
"use strict";

const grpc = require("@grpc/grpc-js");
const common = require("./common.js");

const given = common.options(process.argv.slice(2));
const service = common.load(given.proto[0]).TestService.service;

function zeros(size) {
  return { body: Buffer.alloc(size) };
}

/** Send back the initial metadata that is to be echoed; return the trailing one. */
function echo(call) {
  const initial = new grpc.Metadata();
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(common.ECHO_INITIAL)) initial.add(common.ECHO_INITIAL, value);
  for (const value of call.metadata.get(common.ECHO_TRAILING)) trailing.add(common.ECHO_TRAILING, value);
  if (call.metadata.get(common.ECHO_INITIAL).length) call.sendMetadata(initial);
  return trailing;
}

function askedStatus(request) {
  const asked = request.response_status;
  return asked && asked.code ? { code: asked.code, details: asked.message } : null;
}

function emptyCall(call, callback) {
  callback(null, {});
}

function unaryCall(call, callback) {
  const trailing = echo(call);
  const asked = askedStatus(call.request);
  if (asked) return callback({ ...asked, metadata: trailing });
  const report = call.request.orca_per_query_report;
  if (report) {
    const bytes = common.reportBytes(service, report);
    trailing.add(common.LOAD_REPORT, bytes);
    trailing.add(common.LOAD_COPY, bytes);
  }
  callback(null, { payload: zeros(call.request.response_size) }, trailing);
}

function inputCall(call, callback) {
  let total = 0;
  call.on("data", (request) => { total += request.payload ? request.payload.body.length : 0; });
  call.on("end", () => callback(null, { aggregated_payload_size: total }));
}

/** Write the answers that a request asks for, one after the other. */
async function chunks(call, request, ended) {
  for (const parameters of request.response_parameters) {
    if (parameters.interval_us) await new Promise((done) => setTimeout(done, parameters.interval_us / 1000));
    if (ended()) return;
    await new Promise((done) => {
      if (call.write({ payload: zeros(parameters.size) })) done();
      else call.once("drain", done);
    });
  }
}

async function outputCall(call) {
  const trailing = echo(call);
  await chunks(call, call.request, () => call.cancelled);
  const asked = askedStatus(call.request);
  if (asked) call.emit("error", { ...asked, metadata: trailing });
  else call.end(trailing);
}

function duplexCall(call) {
  const trailing = echo(call);
  let work = Promise.resolve();
  let failed = false;
  call.on("data", (request) => {
    work = work.then(() => {
      const asked = askedStatus(request);
      if (!asked) return chunks(call, request, () => call.cancelled);
      failed = true;
      call.emit("error", { ...asked, metadata: trailing });
    });
  });
  call.on("error", () => { failed = true; });
  call.on("end", () => { work.then(() => { if (!failed) call.end(trailing); }); });
}

const server = new grpc.Server({
  "grpc.max_concurrent_streams": common.MAX_STREAMS,
  "grpc.max_receive_message_length": common.BIG,
  "grpc.max_send_message_length": common.BIG,
});
// What the description asks no server to have is left out.
const { UnimplementedCall, ...implemented } = service;
server.addService(implemented, {
  EmptyCall: emptyCall,
  UnaryCall: unaryCall,
  StreamingInputCall: inputCall,
  StreamingOutputCall: outputCall,
  FullDuplexCall: duplexCall,
});
const credentials = common.serverCredentials((given.transport || ["plaintext"])[0], (given.certs || ["."])[0]);
server.bindAsync(`127.0.0.1:${(given.port || ["0"])[0]}`, credentials, (error, port) => {
  if (error) throw error;
  console.log(port);
});
