/**
 * Makes a fresh checkout ready: npm packages as the lock file says, and with `--system test|bench` the Debian packages
 * that those runs use. Plain JavaScript, because it runs on whatever `node` the machine has, before ours is there.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const TEST = [
  'libiscsi-bin',
  'qemu-utils',
  'qemu-block-extra',
  'fio',
  'sg3-utils',
  'iproute2',
  'e2fsprogs',
  'etcd-server',
  'openssl',
];
const MODELS = ['spin', 'gcc', 'libc6-dev'];
const DISKS = ['gcc', 'libc6-dev', 'libfuse3-dev'];
const GUEST = process.arch === 'x64' ? ['mmdebstrap', 'user-mode-linux', 'qemu-system-x86', 'cpio'] : [];
const SYSTEM = {
  test: [...TEST, ...MODELS, ...DISKS, ...GUEST],
  bench: [...TEST, 'tgt', 'gcc', 'libc6-dev', 'libiscsi-dev'],
};
const APT = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends'];

process.chdir(new URL('..', import.meta.url).pathname);
installNodeModules();
const wanted = process.argv.indexOf('--system');
if (wanted !== -1) installSystemPackages(process.argv[wanted + 1] ?? '');

function installNodeModules() {
  const stampFile = 'node_modules/.lockstep-stamp';
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  const stamp = `${lock} ${process.platform}-${process.arch}\n`;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  console.log('bootstrap: installing npm packages (npm ci) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts']);
  if (!existsSync('node_modules/.bin/node'))
    die(
      `npm has no Node.js 24 for ${process.platform}-${process.arch}; Lockstep runs on Linux, x64 or arm64`,
    );
  writeFileSync(stampFile, stamp);
}

function installSystemPackages(purpose) {
  const packages = SYSTEM[purpose] ?? die(`--system takes one of: ${Object.keys(SYSTEM).join(', ')}`);
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const line = `apt-get install ${APT.at(-1)} ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) die(`these runs need Debian packages; as root: ${line}`);
  console.log(`bootstrap: ${line} …`);
  if (aptGet('install', ...missing).status === 0) return;
  aptGet('update'); // no package lists yet, or stale ones
  const second = aptGet('install', ...missing);
  if (second.status !== 0) die(`${second.stderr ?? second.error}\nbootstrap: failed: ${line}`);
}

function isInstalled(name) {
  const found = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return found.stdout === 'installed';
}

function aptGet(...words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', [...APT, ...words], { env, encoding: 'utf8' });
}

function run(command, words) {
  const { status, error } = spawnSync(command, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) die(`${command} ${words.join(' ')}: ${error?.message ?? `exit status ${status}`}`);
}

function die(message) {
  console.error(`bootstrap: ${message}`);
  process.exit(1);
}
