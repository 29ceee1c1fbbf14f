// What the client and the server on grpc-js share: the messages, the options, the transports.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const MAX_STREAMS = 100;
const BIG = 64 << 20;
const ECHO_INITIAL = "x-grpc-test-echo-initial";
const ECHO_TRAILING = "x-grpc-test-echo-trailing-bin";
const LOAD_REPORT = "endpoint-load-metrics-bin";
const LOAD_COPY = "x-load-report-bin";

/** Read `--name value` pairs; a name may come several times. */
function options(argv) {
  const result = {};
  for (let index = 0; index < argv.length; index += 2) {
    const name = argv[index].replace(/^--/, "");
    (result[name] = result[name] || []).push(argv[index + 1]);
  }
  return result;
}

/** Load the package grpc.testing. */
function load(proto) {
  const definition = loader.loadSync(proto, { keepCase: true, longs: Number, defaults: true });
  return grpc.loadPackageDefinition(definition).grpc.testing;
}

/** Encode a load report, as a field of a request without that field's key and length (a byte each). */
function reportBytes(service, report) {
  return service.UnaryCall.requestSerialize({ orca_per_query_report: report }).subarray(2);
}

function read(certs, name) {
  return fs.readFileSync(path.join(certs, name));
}

function serverCredentials(kind, certs) {
  if (kind === "plaintext") return grpc.ServerCredentials.createInsecure();
  const pair = { private_key: read(certs, "server.key"), cert_chain: read(certs, "server.pem") };
  const mutual = kind === "mtls";
  return grpc.ServerCredentials.createSsl(mutual ? read(certs, "ca.pem") : null, [pair], mutual);
}

function clientCredentials(kind, certs) {
  if (kind === "plaintext") return grpc.credentials.createInsecure();
  if (kind === "tls") return grpc.credentials.createSsl(read(certs, "ca.pem"));
  return grpc.credentials.createSsl(read(certs, "ca.pem"), read(certs, "client.key"), read(certs, "client.pem"));
}

module.exports = {
  MAX_STREAMS, BIG, ECHO_INITIAL, ECHO_TRAILING, LOAD_REPORT, LOAD_COPY,
  options, load, reportBytes, serverCredentials, clientCredentials,
};
