/** Scripts that make a guest the initiator that an administrator would have, with the settings that we give to administrators. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a distribution would have running, and helpers: `set -e` does not see a failed `! command`, so `refuses`. */
export const PREPARE = `
modprobe -a iscsi_tcp sd_mod sg dm-multipath dm-round-robin dm-service-time
/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1
udevadm trigger --action=add --subsystem-match=block --subsystem-match=misc
sed -i 's/^\\(node.conn.0..timeo.noop_out_[a-z]* =\\).*/\\1 2/' /etc/iscsi/iscsid.conf # a silent path is noticed in 4 s
iscsid >/dev/null 2>&1
cat > /tmp/lib.sh <<'END'
refuses() { if "$@" 2>/dev/null; then echo "should have failed: $*"; return 1; fi; }
wait_for() { local n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || return 1; sleep "\${LOOK:-0.1}"; done; }
login() { iscsiadm -m node -T "$1" -p "$2" --login && wait_for test -b "/dev/disk/by-path/ip-$2:3260-iscsi-$1-lun-0"; }
paths() { [ "$(multipathd show paths raw format '%t %o %p' | grep -c 'active.*running.*50')" = "$1" ]; }
END
`;

/** multipathd with our settings; the map comes when there are paths. */
export const MULTIPATHD = `
mkdir -p /etc/multipath/conf.d
cat > /etc/multipath/conf.d/lockstep.conf <<'END'
${packaged('multipath.conf')}END
multipathd
`;

/** Before discovery. */
export const ISCSI_SETTINGS = `
cat >> /etc/iscsi/iscsid.conf <<'END'
${packaged('iscsid.conf')}END
`;

function packaged(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../../packaging', name), 'utf8');
}
