// The grpc-js client: see clients/__init__.py.
'use strict';
const grpc = require('@grpc/grpc-js');

const [target, calls, inFlight, varying] = [process.argv[2], +process.argv[3], +process.argv[4], process.argv[5] === '1'];
const message = Buffer.alloc(100, 'x');
const same = (bytes) => bytes;

function metadata(number) {
  const result = new grpc.Metadata();
  if (varying) {
    const digits = number.toString(16).padStart(8, '0');
    result.set('traceparent', `00-4bf92f3577b34da6a3ce929d${digits}-00f067aa${digits}-01`);
    result.set('x-request-id', `7f1c2f6e-0b1d-4b7e-9f7d-0000${digits}`);
    result.set('authorization', 'Bearer 0123456789abcdef0123456789abcdef');
  }
  return result;
}

function drive(client, count) {
  return new Promise((resolve) => {
    let begun = 0;
    let ended = 0;
    let failed = 0;
    const next = () => {
      if (begun >= count) return;
      const options = { deadline: Date.now() + 9000 };
      client.makeUnaryRequest('/bench.v1.Echo/Unary', same, same, message, metadata(begun++), options, (error) => {
        if (error) failed++;
        if (++ended === count) resolve(failed);
        else next();
      });
    };
    for (let at = 0; at < inFlight; at++) next();
  });
}

async function main() {
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  await drive(client, 500);
  console.log('begin');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const began = process.hrtime.bigint();
  const errors = await drive(client, calls);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ calls, errors, seconds }));
  process.exit(0);
}

main();
