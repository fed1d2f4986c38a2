/**
 * A cluster's own certificate authority and the certificates of its nodes, by which nodes know each other
 * (docs/FORMATS.md, "Connections between nodes"). ECDSA P-256; PEM files that only their owner reads.
 *
 *   DIR/ca.key       signs for new nodes and is needed for nothing else: keep it away from the nodes
 *   DIR/ca.crt       goes to every node
 *   OUT/node.key, node.crt, ca.crt      what one node needs
 */

import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as x509 from '@peculiar/x509';
import { fail, ok, type Result } from '../base/result.ts';
import { nodeNameIn } from '../base/node-name.ts';

export const AUTHORITY_YEARS = 10;
export const NODE_YEARS = 2;

const { subtle } = globalThis.crypto;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Clocks of nodes differ. */
const EARLIER_MS = 3_600_000;
const SERIAL_BYTES = 16;
const ORGANIZATION = 'Lockstep cluster';
/** A label of a DNS name (RFC 1035 §2.3.1), in lower case. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

type CryptoKey = webcrypto.CryptoKey;
/** A sentence for people: what is wrong, and what to do. */
type Fault = string;

export interface Issued {
  /** The files that were written. */
  readonly files: readonly string[];
  readonly notAfter: Date;
}

/** Makes the authority of a new cluster in `directory`, which is made, too; nothing that is there is overwritten. */
export async function initCluster(
  directory: string,
  cluster: string,
  now: Date,
): Promise<Result<Issued, Fault>> {
  const bad = faultOfLabel('cluster', cluster);
  if (bad !== undefined) return fail(bad);
  const keys = await newKeys();
  const notAfter = after(now, AUTHORITY_YEARS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: nameOf(cluster),
    notBefore: new Date(now.getTime() - EARLIER_MS),
    notAfter,
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return write(directory, notAfter, {
    'ca.key': await pemOf(keys.privateKey),
    'ca.crt': pemLines(certificate.toString('pem')),
  });
}

/** A certificate for one node, signed by the authority in `directory`. */
export async function issueNodeCertificate(
  directory: string,
  { node, out, now }: { readonly node: string; readonly out: string; readonly now: Date },
): Promise<Result<Issued, Fault>> {
  const bad = faultOfLabel('node', node);
  if (bad !== undefined) return fail(bad);
  const authority = await readAuthority(directory);
  if (!authority.ok) return authority;
  const { certificate: issuer, key, cluster } = authority.value;
  if (now.getTime() > issuer.notAfter.getTime())
    return fail(
      `The authority in ${directory} has expired on ${day(issuer.notAfter)}: make a new one with "lockstep cluster init" and new certificates for all nodes.`,
    );
  const keys = await newKeys();
  const notAfter = new Date(Math.min(after(now, NODE_YEARS).getTime(), issuer.notAfter.getTime()));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: nameOf(node),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(now.getTime() - EARLIER_MS),
    notAfter,
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: nodeNameIn(cluster, node) }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return write(out, notAfter, {
    'node.key': await pemOf(keys.privateKey),
    'node.crt': pemLines(certificate.toString('pem')),
    'ca.crt': pemLines(issuer.toString('pem')),
  });
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
  readonly cluster: string;
}

async function readAuthority(directory: string): Promise<Result<Authority, Fault>> {
  const [certificateFile, keyFile] = ['ca.crt', 'ca.key'].map((name) => path.join(directory, name)) as [
    string,
    string,
  ];
  try {
    const certificate = new x509.X509Certificate(readFileSync(certificateFile, 'utf8'));
    const bytes = x509.PemConverter.decodeFirst(readFileSync(keyFile, 'utf8'));
    const key = await subtle.importKey('pkcs8', bytes, ALGORITHM, true, ['sign']);
    const [cluster = ''] = certificate.subjectName.getField('CN');
    if (!LABEL.test(cluster)) return fail(`${certificateFile} is no authority of a Lockstep cluster.`);
    if (!(await belongTogether(certificate, key)))
      return fail(`${keyFile} is not the key of ${certificateFile}: take both from the same backup.`);
    return ok({ certificate, key, cluster });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return fail(
        `There is no authority in ${directory}: make one with "lockstep cluster init ${directory} --name NAME".`,
      );
    return fail(`The authority in ${directory} cannot be read: ${message}`);
  }
}

async function belongTogether(certificate: x509.X509Certificate, key: CryptoKey): Promise<boolean> {
  const probe = new Uint8Array(SERIAL_BYTES);
  const signature = await subtle.sign(SIGNING, key, probe);
  return subtle.verify(SIGNING, await certificate.publicKey.export(ALGORITHM, ['verify']), signature, probe);
}

function write(
  directory: string,
  notAfter: Date,
  contents: Readonly<Record<string, string>>,
): Result<Issued, Fault> {
  const files = Object.keys(contents).map((name) => path.join(directory, name));
  const there = files.find((file) => existsSync(file));
  if (there !== undefined) return fail(`${there} exists already: choose another directory, or move it away.`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(contents))
      writeFileSync(path.join(directory, name), text, { mode: 0o600, flag: 'wx', flush: true });
    return ok({ files, notAfter });
  } catch (error) {
    return fail(`Cannot write to ${directory}: ${(error as Error).message}`);
  }
}

function faultOfLabel(what: 'cluster' | 'node', name: string): Fault | undefined {
  if (LABEL.test(name)) return undefined;
  return `"${name}" is no name of a ${what}: write at most 63 letters in lower case, digits and hyphens, for example "${what === 'node' ? 'node-a' : 'site1'}".`;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function nameOf(commonName: string): x509.JsonName {
  return [{ O: [ORGANIZATION] }, { CN: [commonName] }];
}

/** Positive, at most 20 bytes, from a random source (RFC 5280 §4.1.2.2). */
function newSerial(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function pemOf(key: CryptoKey): Promise<string> {
  return pemLines(x509.PemConverter.encode(await subtle.exportKey('pkcs8', key), 'PRIVATE KEY'));
}

function pemLines(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}

function after(now: Date, years: number): Date {
  return new Date(now.getTime() + years * 365 * DAY_MS);
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
