# The second program of a guest: what a system has at least, the cards, and then the command. It ends the guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
echo guest >/proc/sys/kernel/hostname
ip link set lo up
. /run/guest/settings
for module in $MODULES; do
    "$BUSYBOX" modprobe "$module" || echo "start: no module $module"
done
for place in /sys/class/net/*; do
    case $(cat "$place/address") in
        52:54:00:00:00:01) ip link set "${place##*/}" name card0 ;;
        52:54:00:00:00:02) ip link set "${place##*/}" name card1 ;;
        52:54:00:00:00:03) ip address add 10.0.2.15/24 dev "${place##*/}"; ip link set "${place##*/}" up ;;
    esac
done
cd "$FOLDER"
: >/run/guest/booted
if [ "$INTERACTIVE" ]; then
    setsid --ctty --wait bash --rcfile /run/guest/rc </dev/ttyS0 >/dev/ttyS0 2>&1
    echo 0 >/run/guest/status
else
    bash -c "$COMMAND" </dev/null >/run/guest/output 2>&1
    echo $? >/run/guest/status
fi
sync
echo o >/proc/sysrq-trigger
sleep 60
