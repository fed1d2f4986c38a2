/** A cluster whose nodes are in network namespaces, and the load on it: what the tests of mirrors break. */
import type { LoadControl } from '../../src/management/drill/sequence.ts';
import { copiesOf, type DrillNode, type Site } from '../../src/management/drill/site.ts';
import { startNodes } from './cluster-nodes.ts';
import type { Shape } from './drill-config.ts';
import { controlOf, type OnlookerControl, onlookerOf, startLoadProcess } from './load-process.ts';
import type { StorageLayer } from './storage-layer/storage-layer.ts';
import type { VotePlace } from './vote-place.ts';

export interface DrillCluster extends AsyncDisposable {
  readonly site: Site;
  readonly load: LoadControl;
  /** Another host, through one path at a time. */
  readonly onlooker: OnlookerControl;
  readonly votes: VotePlace;
  /** Of nodes by name, where the shape has them. */
  readonly disks: ReadonlyMap<string, StorageLayer>;
  /** Stops the load and then all nodes, in order; everything that is wrong with the copies, of these nodes or all. */
  end(holders?: readonly DrillNode[]): Promise<readonly string[]>;
}

export interface LoadShape {
  readonly seed: number;
  /** The load keeps to so many bytes from the start of the device; undefined: all of it. */
  readonly areaBytes?: number;
  /** There is no load, only the other host. */
  readonly isIdle?: boolean;
}

export async function startDrillCluster(shape: Shape, loadShape: LoadShape): Promise<DrillCluster> {
  await using onFailure = new AsyncDisposableStack();
  const nodes = onFailure.use(await startNodes(shape, loadShape.seed));
  const { site, network, votes, disks, paths, images } = nodes;
  const load = startLoadProcess(network.atInitiator);
  onFailure.defer(() => load.end());
  await load.call({ kind: 'start', paths, ...loadShape });
  const all = onFailure.move();
  return {
    site,
    load: controlOf(load),
    onlooker: onlookerOf(load),
    votes,
    disks,
    async end(holders = copiesOf(site)) {
      await load.call({ kind: 'stop' });
      const wrong = await nodes.stop();
      const violation = (await load.call({
        kind: 'judgeCopies',
        images: images.filter((_, index) => holders.includes(copiesOf(site)[index]!)),
      })) as string | undefined;
      return violation === undefined ? wrong : [...wrong, violation];
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
