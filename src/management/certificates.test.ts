/**
 * Goal: a cluster's certificates say what they should, are accepted by what others wrote, and what people do wrong is told
 * them. Method: files in a new directory, read by Node.js's own parser and by openssl.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Result } from '../base/result.ts';
import {
  AUTHORITY_YEARS,
  type Issued,
  initCluster,
  issueNodeCertificate,
  NODE_YEARS,
} from './certificates.ts';

const NOW = new Date('2026-11-26T12:00:00Z');
const YEAR_MS = 365 * 86_400_000;
let directory = '';
const at = (...names: string[]): string => path.join(directory, ...names);
const read = (...names: string[]): X509Certificate => new X509Certificate(readFileSync(at(...names)));

function issued(result: Result<Issued, string>): Issued {
  assert.ok(result.ok, result.ok ? '' : result.fault);
  return result.value;
}

function refused(result: Result<Issued, string>, why: RegExp): void {
  assert.ok(!result.ok);
  assert.match(result.fault, why);
}

before(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-'));
  issued(await initCluster(at('ca'), 'site1', NOW));
  issued(await issueNodeCertificate(at('ca'), { node: 'node-a', out: at('a'), now: NOW }));
});
after(() => rmSync(directory, { recursive: true }));

test('a node has one name, a key that fits and two years; the authority has ten', () => {
  const [ca, node] = [read('ca', 'ca.crt'), read('a', 'node.crt')];
  assert.equal(node.subjectAltName, 'DNS:node-a.site1.lockstep');
  assert.deepEqual(node.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  assert.ok(node.verify(ca.publicKey) && node.checkIssued(ca) && !node.ca && ca.ca);
  assert.equal(node.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(node.validToDate.getTime(), NOW.getTime() + NODE_YEARS * YEAR_MS);
  assert.equal(ca.validToDate.getTime(), NOW.getTime() + AUTHORITY_YEARS * YEAR_MS);
  assert.ok(node.validFromDate < NOW);
  assert.deepEqual(readFileSync(at('a', 'ca.crt')), readFileSync(at('ca', 'ca.crt')));
});

test('only their owner reads the files', () => {
  for (const file of [at('ca', 'ca.key'), at('ca', 'ca.crt'), at('a', 'node.key'), at('a', 'node.crt')])
    assert.equal(statSync(file).mode & 0o777, 0o600, file);
  assert.equal(statSync(at('ca')).mode & 0o777, 0o700);
});

test('openssl verifies a node as server and as client, and not by the authority of another cluster', async (t) => {
  const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8' });
  if (openssl('version').error !== undefined) return t.skip('openssl is not installed');
  issued(await initCluster(at('other'), 'site1', NOW));
  for (const purpose of ['sslserver', 'sslclient']) {
    const time = ['-attime', String(NOW.getTime() / 1000), '-x509_strict', '-purpose', purpose];
    const good = openssl('verify', ...time, '-CAfile', at('ca', 'ca.crt'), at('a', 'node.crt'));
    assert.match(good.stdout, /node\.crt: OK/, good.stderr);
    const name = ['-verify_hostname', 'node-b.site1.lockstep'];
    const otherName = openssl('verify', ...time, ...name, '-CAfile', at('ca', 'ca.crt'), at('a', 'node.crt'));
    assert.notEqual(otherName.status, 0);
    const other = openssl('verify', ...time, '-CAfile', at('other', 'ca.crt'), at('a', 'node.crt'));
    assert.notEqual(other.status, 0);
  }
});

test('nothing that is there is overwritten', async () => {
  refused(await initCluster(at('ca'), 'site2', NOW), /ca\.key exists already/);
  const again = await issueNodeCertificate(at('ca'), { node: 'node-b', out: at('a'), now: NOW });
  refused(again, /node\.key exists already/);
});

test('a certificate does not outlive its authority, and an authority that has expired signs nothing', async () => {
  const late = new Date(NOW.getTime() + (AUTHORITY_YEARS - 1) * YEAR_MS);
  const { notAfter } = issued(
    await issueNodeCertificate(at('ca'), { node: 'b', out: at('late'), now: late }),
  );
  assert.equal(notAfter.getTime(), NOW.getTime() + AUTHORITY_YEARS * YEAR_MS);
  const later = new Date(NOW.getTime() + (AUTHORITY_YEARS + 1) * YEAR_MS);
  const expired = await issueNodeCertificate(at('ca'), { node: 'b', out: at('later'), now: later });
  refused(expired, /expired on 2036-/);
});

test('what people do wrong is told them', async () => {
  refused(await initCluster(at('x'), 'Site 1', NOW), /"Site 1" is no name of a cluster/);
  const node = (from: string, name: string) =>
    issueNodeCertificate(from, { node: name, out: at('x'), now: NOW });
  refused(await node(at('ca'), 'a.b'), /"a\.b" is no name of a node/);
  refused(await node(at('nothing'), 'a'), /no authority in .*nothing: make one with/);
  issued(await initCluster(at('mixed'), 'site1', NOW));
  copyFileSync(at('ca', 'ca.key'), at('mixed', 'ca.key'));
  refused(await node(at('mixed'), 'a'), /ca\.key is not the key of/);
  copyFileSync(at('a', 'node.crt'), at('mixed', 'ca.key'));
  refused(await node(at('mixed'), 'a'), /cannot be read/);
});
