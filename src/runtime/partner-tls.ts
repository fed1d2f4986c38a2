/**
 * How two nodes prove to each other who they are: TLS 1.3, both with certificates of their cluster's own authority. A
 * certificate has exactly one name, `NODE.CLUSTER.lockstep` (docs/FORMATS.md, "Connections between nodes"), and it has to be
 * the one that is expected. Nothing is ever resumed: each connection is proven anew.
 */

import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { fail, ok, type Result } from '../base/result.ts';

export interface NodeCredentials {
  /** PEM: of this node, its key, and the authority of the cluster. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** Somebody who has proven to be who they should be. */
export interface Proven {
  readonly socket: Socket;
  readonly name: string;
}

export interface ProofFault {
  readonly why:
    | 'expired'
    | 'notYetValid'
    | 'otherCluster'
    | 'otherNode'
    | 'noCertificate'
    | 'refusedByPeer'
    | 'failed';
  /** What the certificate or the library says. */
  readonly detail: string;
}

/** Takes a connection over; the other side has to be one of `names`. The fault comes with a connection that is over. */
export interface Proof {
  connect(raw: Socket, name: string): Promise<Result<Proven, ProofFault>>;
  accept(raw: Socket, names: readonly string[]): Promise<Result<Proven, ProofFault>>;
}

/** Both ends of everything else that uses such certificates speak another protocol (RFC 7301). */
const PROTOCOL = 'lockstep-partner';
const HANDSHAKE_MS = 4000;
const FIXED = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // AES with 128 bits is the quickest where processors have instructions for it.
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  ecdhCurve: 'X25519:P-256',
} as const;

export function createTlsProof({ certificate, key, authority }: NodeCredentials): Proof {
  const secureContext = tls.createSecureContext({ ...FIXED, cert: certificate, key, ca: authority });

  function connect(raw: Socket, name: string): Promise<Result<Proven, ProofFault>> {
    return new Promise((resolve) => {
      const socket = tls.connect({
        socket: raw,
        secureContext,
        servername: name,
        ALPNProtocols: [PROTOCOL],
        // The chain is checked before it is called; whose name it is, below.
        checkServerIdentity: () => undefined,
      });
      const timer = setTimeout(() => settle(new Error('the handshake took too long')), HANDSHAKE_MS);
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        socket.removeListener('error', settle);
        socket.removeListener('close', closed);
        resolve(error === undefined ? judged(socket, [name]) : refused(socket, faultOf(error)));
      };
      const closed = (): void => settle(new Error('the other side ended the connection'));
      socket.once('error', settle);
      socket.once('close', closed);
      socket.once('secureConnect', () => settle());
    });
  }

  /** Each takes one handshake at a time. It is the only way by which Node.js says why it refused a client. */
  const idle: tls.Server[] = [];

  function accept(raw: Socket, names: readonly string[]): Promise<Result<Proven, ProofFault>> {
    if (raw.destroyed) return Promise.resolve(refused(raw, { why: 'failed', detail: 'it is over' }));
    const server =
      idle.pop() ??
      tls.createServer({
        ...FIXED,
        cert: certificate,
        key,
        ca: authority,
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: HANDSHAKE_MS,
        ALPNProtocols: [PROTOCOL],
      });
    return new Promise((resolve) => {
      const settle = (result: Result<Proven, ProofFault>): void => {
        server.removeAllListeners('secureConnection');
        server.removeAllListeners('tlsClientError');
        idle.push(server);
        resolve(result);
      };
      server.once('secureConnection', (socket) => settle(judged(socket, names)));
      server.once('tlsClientError', (error, socket) => {
        const { authorizationError } = socket as { authorizationError?: unknown };
        const code = typeof authorizationError === 'string' ? authorizationError : undefined;
        settle(refused(socket, faultOf(code === undefined ? error : Object.assign(error, { code }))));
      });
      server.emit('connection', raw);
    });
  }

  return { connect, accept };
}

/** The chain is good; now the name, and that it was proven here and now. */
function judged(socket: tls.TLSSocket, names: readonly string[]): Result<Proven, ProofFault> {
  if (!socket.authorized || socket.isSessionReused())
    return refused(socket, { why: 'failed', detail: 'nothing was proven' });
  if (socket.alpnProtocol !== PROTOCOL)
    return refused(socket, { why: 'failed', detail: 'it speaks another protocol' });
  const certificate = socket.getPeerX509Certificate();
  const name = certificate === undefined ? undefined : onlyNameOf(certificate);
  if (name !== undefined && names.includes(name)) return ok({ socket, name });
  const detail = certificate?.subjectAltName ?? certificate?.subject ?? '';
  return refused(socket, { why: 'otherNode', detail: `${detail} instead of ${names.join(' or ')}` });
}

function onlyNameOf({ subjectAltName }: X509Certificate): string | undefined {
  return /^DNS:([a-z0-9.-]+)$/.exec(subjectAltName ?? '')?.[1];
}

function refused(socket: Socket, fault: ProofFault): Result<Proven, ProofFault> {
  socket.on('error', () => undefined);
  socket.destroy();
  return fail(fault);
}

function faultOf(error: Error & { readonly code?: string }): ProofFault {
  const { code = '', message } = error;
  return {
    why: CAUSES[code] ?? (code.includes('ALERT') ? 'refusedByPeer' : 'failed'),
    detail: message || code,
  };
}

/** Node.js's names of what OpenSSL found. */
const CAUSES: Readonly<Record<string, ProofFault['why']>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'notYetValid',
  UNABLE_TO_GET_ISSUER_CERT: 'otherCluster',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'otherCluster',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'otherCluster',
  SELF_SIGNED_CERT_IN_CHAIN: 'otherCluster',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'otherCluster',
  CERT_SIGNATURE_FAILURE: 'otherCluster',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'noCertificate',
};
