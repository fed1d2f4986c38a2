/** The cluster's vote store as it is configured: a folder on a share, or etcd. */

import { readFileSync } from 'node:fs';
import { DONE, type Result } from './base/result.ts';
import type { Uuid } from './base/uuid.ts';
import type { ClusterSpec, VoteStoreSpec } from './engine/spec.ts';
import type { VoteFault, VoteStore } from './ports/vote-store.ts';
import { type EtcdOptions, openEtcdVotes } from './runtime/etcd-votes.ts';
import { openShare, type Share } from './runtime/share-votes.ts';

export interface Store {
  votes(device: Uuid): VoteStore;
  /** Makes room for the register of a new device; one that is there stays as it is. */
  prepare(device: Uuid): Promise<Result<void, VoteFault>>;
}

/** One per share and process. */
const shares = new Map<string, Share>();

/** Undefined: the cluster has none. */
export function openStore({ voteStore, node, name }: ClusterSpec): Store | undefined {
  if (voteStore === undefined) return undefined;
  if (voteStore.kind === 'etcd') {
    const options = etcdOptions(voteStore);
    return {
      votes: (device) => openEtcdVotes(options, `/lockstep/${name}/${device}`),
      prepare: () => Promise.resolve(DONE),
    };
  }
  const share = shares.get(voteStore.path) ?? openShare(voteStore.path, String(node));
  shares.set(voteStore.path, share);
  return { votes: (device) => share.votes(device), prepare: (device) => share.create(device) };
}

function etcdOptions({
  endpoints,
  ca,
  certificate,
  key,
}: Extract<VoteStoreSpec, { kind: 'etcd' }>): EtcdOptions {
  const read = (file: string): string => readFileSync(file, 'utf8');
  const tls = {
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(certificate === undefined ? {} : { cert: read(certificate) }),
    ...(key === undefined ? {} : { key: read(key) }),
  };
  return Object.keys(tls).length === 0 ? { endpoints } : { endpoints, tls };
}
