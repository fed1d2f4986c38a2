/** The words that start an etcd of one member, with its data in a folder of its own. */
export function etcdWords(data: string, client: string, peer: string): readonly string[] {
  const settings = {
    'data-dir': data,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'error',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}
