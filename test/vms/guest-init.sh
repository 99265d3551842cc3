#!/bin/sh
# Process 1 of a guest, whose root is this machine's own /, read-only, with an overlay in memory on top. The kernel hands
# its parameters on as environment: WEFT_NUMBER, WEFT_FOLDER (this one), WEFT_MODULES (lib/modules), WEFT_TOOLS (unpacked
# packages), WEFT_NODE, WEFT_AGENT, and for systemd in place of this script WEFT_CHECKOUT.
#
# User-mode Linux starts it on the bare root; in QEMU initrd-init.sh has made the overlay and sets WEFT_STAGE.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$WEFT_TOOLS/sbin:$WEFT_TOOLS/bin
export PATH

if [ -z "${WEFT_STAGE-}" ]; then
  # hostfs shows the /proc of the machine below: first of all our own.
  mount -n -t proc proc /proc
  mount -n -t sysfs sysfs /sys
  mount -n -t devtmpfs dev /dev 2>/dev/null
  grep -q overlay /proc/filesystems ||
    "$WEFT_TOOLS/bin/busybox" insmod "$WEFT_MODULES/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
  mount -n -t tmpfs -o size=90% up /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -n -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work over /mnt/root || exit 1
  for folder in proc sys dev; do mount -n -o move "/$folder" "/mnt/root/$folder"; done
  cd /mnt/root
  pivot_root . mnt
  export WEFT_STAGE=root
  exec chroot . "$WEFT_FOLDER/guest-init.sh"
fi

mount -t tmpfs -o size=50% tmp /run
mkdir -p /run/netns /run/lock /run/flannel /run/weft /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts devpts /dev/pts 2>/dev/null
mkdir -p /usr/lib/modules
ln -sfn "$WEFT_MODULES/$(uname -r)" "/usr/lib/modules/$(uname -r)"
# The kernel asks for modules by this path; the machine's own root may have no modprobe.
command -v modprobe >/proc/sys/kernel/modprobe
echo "guest$WEFT_NUMBER" >/proc/sys/kernel/hostname
modprobe -a -q virtio_net tun veth bridge ipv6
underlay=
until [ -n "$underlay" ]; do
  for device in eth0 vec0; do [ -e "/sys/class/net/$device" ] && underlay=$device; done
  [ -n "$underlay" ] || sleep 1
done
ip link set lo up
ip link set "$underlay" up
ip addr add "192.0.2.$WEFT_NUMBER/24" dev "$underlay"
echo "$underlay" >/run/underlay
echo 1 >/proc/sys/net/ipv4/ip_forward
echo "guest $WEFT_NUMBER is up: $(uname -r)"
[ -z "${WEFT_CHECKOUT-}" ] || . "$WEFT_FOLDER/systemd-init.sh"
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
# A shell takes up the processes that lose their parents; Node.js would leave them as zombies.
"$WEFT_NODE" "$WEFT_AGENT" &
wait $!
echo "guest $WEFT_NUMBER: the agent ended"
