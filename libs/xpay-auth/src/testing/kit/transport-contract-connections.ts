import assert from 'node:assert/strict';
import type { Transport, TransportFailure } from '../../http/transport.js';
import { until } from './contract-case.js';
import { type Answer, type TransportPlay, type TransportRig, response, settled } from './transport-contract-stage.js';

const OTHER = response('the answer to no request');

/**
 * The requirements on the connections of a transport. It keeps connections open, but does not rely on an idle connection being
 * usable.
 */
export const connectionCases: Readonly<Record<string, TransportPlay>> = {
  'keeps a connection for the next request': async (rig) => {
    const transport = await afterOne(rig);
    assert.equal(await rig.text(transport), 'ok');
    assert.equal(rig.server.connections.length, 1);
  },

  'reports a new connection that is refused or reset': async (rig) => {
    rig.server.answer = (socket) => socket.resetAndDestroy();
    const reset = await rig.failure(rig.create());
    assert.deepEqual(factsOf(reset), { reusedConnection: false, anyByteReceived: false, wasStaleConnection: false });
    await rig.server.stop();
    const refused = await rig.failure(rig.create());
    assert.deepEqual(factsOf(refused), { reusedConnection: false, anyByteReceived: false, wasStaleConnection: false });
  },

  'reports a new connection that is reset after a part of an answer': async (rig) => {
    rig.server.answer = resetAfter('HTTP/1.1 200');
    const failure = await rig.failure(rig.create());
    assert.deepEqual(factsOf(failure), { reusedConnection: false, anyByteReceived: true, wasStaleConnection: false });
  },

  'reports a reused connection that is reset before any byte of an answer': async (rig) => {
    for (const end of ['resetAndDestroy', 'destroy'] as const) {
      const transport = await afterOne(rig);
      rig.server.answer = (socket) => socket[end]();
      const failure = await rig.failure(transport);
      assert.deepEqual(
        factsOf(failure),
        { reusedConnection: true, anyByteReceived: false, wasStaleConnection: true },
        end,
      );
    }
  },

  'reports a reused connection that is reset after a part of an answer': async (rig) => {
    const parts = ['H', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'];
    for (const part of parts) {
      const transport = await afterOne(rig);
      rig.server.answer = resetAfter(part);
      const failure = await rig.failure(transport);
      const expected = { reusedConnection: true, anyByteReceived: true, wasStaleConnection: false };
      assert.deepEqual(factsOf(failure), expected, part);
    }
  },

  'opens a new connection after a reused one was reset before any byte of an answer': async (rig) => {
    const transport = rig.create();
    await openThree(rig, transport);
    rig.server.answer = (socket) => socket.resetAndDestroy();
    await rig.failure(transport);
    assert.equal(rig.server.connections.length, 3);
    rig.server.answer = (socket) => socket.write(response('new'));
    assert.equal(await rig.text(transport), 'new');
    assert.equal(rig.server.connections.length, 4);
  },

  'does not use a connection that the server closed while it was idle': async (rig) => {
    const transport = await afterOne(rig);
    rig.server.connection(0).end();
    await settled();
    assert.equal(await rig.text(transport), 'ok');
    assert.equal(rig.server.connections.length, 2);
  },

  'closes an idle connection that receives an answer': async (rig) => {
    for (const unsolicited of [OTHER, OTHER.slice(0, 9), `${OTHER}${OTHER}`, '\r\n']) {
      const transport = await afterOne(rig);
      const idle = rig.server.connection(rig.server.connections.length - 1);
      idle.write(unsolicited);
      await until(() => idle.destroyed || idle.readableEnded, 'the idle connection is closed');
      assert.equal(await rig.text(transport), 'ok');
    }
  },

  'does not read an answer that arrived just before the next request': async (rig) => {
    const transport = await afterOne(rig);
    // When `write` returns, the answer is in the kernel, and the transport cannot have read it yet.
    rig.server.connection(0).write(OTHER);
    assert.equal(await rig.text(transport), 'ok');
    assert.equal(rig.server.connections.length, 2);
  },

  'does not read the second of two answers to one request': async (rig) => {
    rig.server.answer = (socket) => socket.write(`${response('ok')}${OTHER}`);
    const transport = rig.create();
    await transport(rig.request()).catch(() => undefined);
    rig.server.answer = (socket) => socket.write(response('own'));
    assert.equal(await rig.text(transport), 'own');
    assert.equal(rig.server.connections.length, 2);
  },
};

function factsOf({ reusedConnection, anyByteReceived, wasStaleConnection }: TransportFailure) {
  return { reusedConnection, anyByteReceived, wasStaleConnection };
}

/** A transport with one idle connection. */
async function afterOne(rig: TransportRig): Promise<Transport> {
  rig.server.answer = (socket) => socket.write(response('ok'));
  const transport = rig.create();
  assert.equal(await rig.text(transport), 'ok');
  await settled();
  return transport;
}

/** Opens three connections, which are idle afterwards. */
async function openThree(rig: TransportRig, transport: Transport): Promise<void> {
  rig.server.answer = () => undefined;
  const answers = [1, 2, 3].map(() => rig.text(transport));
  await until(() => rig.server.requests.length === 3, 'three requests arrive');
  for (const socket of rig.server.connections) socket.write(response('ok'));
  await Promise.all(answers);
  await settled();
}

function resetAfter(part: string): Answer {
  return (socket) => {
    // A reset discards what the client has not read yet.
    socket.write(part, () => void settled().then(() => socket.resetAndDestroy()));
  };
}
