#!/bin/bash
# The guest's first process. The image only knows how to mount the host's folder on /host and run this file from it.
# Brings up devices and network, then runs one script after another: the host writes /host/N.sh and sends the line N;
# back come the script's output, the byte 036 and its status. When the host hangs up, the machine ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
. /host/settings # NAME ADDRESSES="10.66.0.101/24 …" KERNEL=user-mode|stock INTERFACE=vec|eth MODULES=/path/on/the/host

mount -t sysfs sys /sys
[ -c /dev/null ] || mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sfn /proc/self/fd /dev/fd
mkdir -p /usr/lib/modules
if [ "$KERNEL" = user-mode ]; then
  mount -t hostfs modules /usr/lib/modules -o "$MODULES"
  terminal=/dev/tty1
else
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000 modules /usr/lib/modules
  modprobe -a virtio_net virtio_console
  terminal=/dev/vport*p1
fi

hostname "$NAME"
echo "InitiatorName=iqn.2008-08.org.lockstep:$NAME" > /etc/iscsi/initiatorname.iscsi
ip link set lo up
number=0
for address in $ADDRESSES; do
  ip address add "$address" dev "$INTERFACE$number"
  ip link set "$INTERFACE$number" up
  for _ in {1..50}; do # a fresh link loses its first packets
    [ "$(< "/sys/class/net/$INTERFACE$number/operstate")" != down ] && break
    sleep 0.02
  done
  number=$((number + 1))
done

cd /tmp
until [ -c $terminal ]; do sleep 0.02; done
exec 3<> $terminal
[ "$KERNEL" != user-mode ] || stty raw -echo <&3
echo ready >&3
while read -r script <&3; do
  bash "/host/$script.sh" < /dev/null 2>&1 3>&- | cat >&3 # a pipe, as under ssh: no program takes it for a terminal
  printf '\036%d\n' "${PIPESTATUS[0]}" >&3
done
echo o > /proc/sysrq-trigger # at once: an orderly end would wait for paths that are gone
sleep 60
