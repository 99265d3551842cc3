# Read by guest-init.sh: makes the guest what a machine with systemd and Weft installed is, then becomes systemd.
# A share named "disk" is what outlives a restart: units that are enabled, the daemon's state and its settings.

mount -t virtiofs disk /media || exit 1
mkdir -p /media/system /media/weft
mount -t tmpfs log /var/log
# Nothing of what the machine below starts, mounts or logs in on.
: >/etc/fstab
mount --bind /media/system /etc/systemd/system
# It would empty /tmp, file by file: this machine's, of which virtiofsd keeps every file open that was ever looked at.
mkdir -p /run/tmpfiles.d /etc/tmpfiles.d
mount -t tmpfs none /etc/tmpfiles.d
ln -s /dev/null /run/tmpfiles.d/tmp.conf
mkdir -p /run/systemd/system/sysinit.target.wants /run/systemd/system-generators /run/sysctl.d
for generator in sysv getty cryptsetup gpt-auto; do
  ln -s /dev/null "/run/systemd/system-generators/systemd-$generator-generator"
done
ln -sf /usr/lib/systemd/system/multi-user.target /run/systemd/system/default.target
# As the Vagrantfile installs it: the checkout in /opt/weft, a user, forwarding, the settings.
mkdir -p /opt/weft /var/lib/weft
mount --bind "$WEFT_CHECKOUT" /opt/weft
mount --bind /media/weft /var/lib/weft
grep -q '^weft:' /etc/passwd || echo 'weft:x:61999:61999::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
grep -q '^weft:' /etc/group || echo 'weft:x:61999:' >>/etc/group
# udev does it, where it is installed.
chmod 0666 /dev/net/tun
echo 'net.ipv4.ip_forward = 1' >/run/sysctl.d/99-weft.conf
cp /media/settings /etc/default/weftd
# Units do not see home folders, where nvm keeps Node.js.
command -v node >/dev/null || { touch /usr/local/bin/node; mount --bind "$WEFT_NODE" /usr/local/bin/node; }
cat >/run/systemd/system/weft-agent.service <<EOF
[Unit]
Description=Commands from outside
DefaultDependencies=no
[Service]
ExecStart=$WEFT_NODE $WEFT_AGENT
Environment=PATH=$PATH
EOF
ln -s ../weft-agent.service /run/systemd/system/sysinit.target.wants/weft-agent.service
exec /lib/systemd/systemd
