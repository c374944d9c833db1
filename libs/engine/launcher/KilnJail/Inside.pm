# The first process of a jail: builds the only folders that it will see, gives up every right, and becomes the engine.
package KilnJail::Inside;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(_exit);
use KilnJail::System;

my $gateway_port = 5000;

# `owners` is the user namespace that says who owns what on the volumes, and `ids` asks the caller's parent for the slot's ids, once this
# process has its own; without both, the caller has them already, and volumes are as they are.
sub become_engine {
    my ($request, $owners, $first_id, $ids) = @_;
    die_with_parent();
    namespaces(NEWNS);
    my $root = "$request->{dir}/root";
    lay_out($root);
    system_folders($root, !defined $ids && $request->{network} eq 'open');
    mount_at('tmpfs', "$root/run", 'tmpfs', MS_NOSUID | MS_NODEV, "size=16m,mode=700,uid=$first_id,gid=$first_id");
    put("$root/etc/resolv.conf", join('', map { "nameserver $_\n" } @{ $request->{resolver} }));
    bind_ro("$request->{dir}/request", "$root/kiln");
    show_volume("$request->{dir}/volume/store", "$root/store", $owners, 0);
    for my $n (0 .. $#{ $request->{base} }) {
        mkdir "$root/bases/$n", 0755;
        show_volume("$request->{dir}/base$n/store", "$root/bases/$n", $owners, 1);
    }
    if (defined $request->{gateway}) {
        put("$root/etc/gateway", '');
        mount_at($request->{gateway}, "$root/etc/gateway", 'none', MS_BIND);
    }
    mount_at('none', $root, 'none', MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, 'size=1m,mode=755');
    pivot_into($root);
    take_ids($owners, $ids) if defined $ids;
    open(STDERR, '>&', \*STDOUT);
    umask 022;
    mkdir '/store/tmp';
    chmod 01777, '/store/tmp';
    take_secrets();
    open(STDIN, '<', '/dev/null');
    serve_gateway() if defined $request->{gateway};
    my $data = keep_data($request->{data});
    my @command = split /\0/, get('/kiln/command') // die "kiln-jail: there is no command\n";
    %ENV = (
        PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C.UTF-8',
        HOME => '/run', TMPDIR => '/store/tmp', XDG_RUNTIME_DIR => '/run', XDG_DATA_HOME => $data,
        # The engine would make a user namespace by itself otherwise.
        _CONTAINERS_USERNS_CONFIGURED => 'done', _CONTAINERS_ROOTLESS_UID => 1, _CONTAINERS_ROOTLESS_GID => 1,
    );
    exec { '/usr/bin/buildah' } 'buildah', @command;
    die "kiln-jail: buildah: $!\n";
}

sub take_ids {
    my ($owners, $ids) = @_;
    POSIX::close($owners);
    # Mounts that come from outside cannot be taken apart in here: they belong to another user namespace.
    namespaces(NEWUSER | NEWNS);
    $ids->();
    become_root();
}

sub show_volume {
    my ($store, $at, $owners, $read_only) = @_;
    if (defined $owners) { bind_with_owners($store, $at, $owners, $read_only) }
    elsif ($read_only) { bind_ro($store, $at) }
    else { mount_at($store, $at, 'none', MS_BIND) }
}

sub lay_out {
    my ($root) = @_;
    mkdir $root, 0755;
    mount_at('tmpfs', $root, 'tmpfs', MS_NOSUID | MS_NODEV, 'size=1m,mode=755');
    mkdir "$root/$_", 0755 for qw(usr etc proc sys dev run store bases kiln var old);
    for (qw(bin sbin lib lib32 lib64 libx32)) {
        if (-l "/$_") { symlink readlink("/$_"), "$root/$_" }
        elsif (-d "/$_") { mkdir "$root/$_"; bind_ro("/$_", "$root/$_") }
    }
    bind_ro('/usr', "$root/usr");
    # What programs need to be found and trusted; nothing that says anything of this machine.
    for (qw(ssl ca-certificates alternatives ld.so.cache ld.so.conf ld.so.conf.d)) {
        next unless -e "/etc/$_";
        if (-d "/etc/$_") { mkdir "$root/etc/$_" } else { put("$root/etc/$_", '') }
        bind_ro("/etc/$_", "$root/etc/$_");
    }
    put("$root/etc/passwd", "root:x:0:0:root:/run:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
    put("$root/etc/group", "root:x:0:\nnogroup:x:65534:\n");
    put("$root/etc/hosts", "127.0.0.1 localhost\n");
    put("$root/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    symlink '/store/tmp', "$root/tmp";
    symlink '/store/tmp', "$root/var/tmp";
}

# Whoever has no network of its own cannot mount its sysfs, and gets a look at the machine's; nobody else does.
sub system_folders {
    my ($root, $shares_network) = @_;
    mount_at('proc', "$root/proc", 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC);
    if ($shares_network) { mount_at('/sys', "$root/sys", 'none', MS_BIND | MS_REC) }
    else { mount_at('sysfs', "$root/sys", 'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY) }
    # Runc wants to see one; it is the jail's own, and nothing in it can be changed.
    mount_at('cgroup2', "$root/sys/fs/cgroup", 'cgroup2', MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY);
    mount_at('tmpfs', "$root/dev", 'tmpfs', MS_NOSUID | MS_NOEXEC, 'size=64k,mode=755');
    for (qw(null zero full random urandom tty)) {
        put("$root/dev/$_", '');
        mount_at("/dev/$_", "$root/dev/$_", 'none', MS_BIND);
    }
    symlink '/proc/self/fd', "$root/dev/fd";
    symlink "/proc/self/fd/$_->[0]", "$root/dev/$_->[1]" for [0, 'stdin'], [1, 'stdout'], [2, 'stderr'];
}

# Secrets come over standard input, as lines "name length" each followed by its bytes, and stay in memory.
sub take_secrets {
    mkdir '/run/secrets', 0700;
    while (defined(my $line = <STDIN>)) {
        my ($name, $length) = $line =~ /^([A-Za-z0-9._-]{1,64}) (\d{1,6})$/ or die "kiln-jail: a secret cannot be read\n";
        my $bytes;
        (read(STDIN, $bytes, $length) // -1) == $length or die "kiln-jail: a secret is cut\n";
        put("/run/secrets/$name", $bytes);
    }
}

# The engine speaks TCP; what talks to registries for it listens on a socket outside of the jail.
sub serve_gateway {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $gateway_port, Listen => 64)
        or die "kiln-jail: gateway: $!\n";
    return if fork() // die "kiln-jail: fork: $!\n";
    $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $engine = $listener->accept or next;
        my $child = fork;
        relay($engine) if defined $child && $child == 0;
    }
}

sub relay {
    my ($engine) = @_;
    my $outside = IO::Socket::UNIX->new(Peer => '/etc/gateway') or _exit(1);
    my %other = (fileno($engine) => $outside, fileno($outside) => $engine);
    my $open = IO::Select->new($engine, $outside);
    while ($open->count) {
        for my $from ($open->can_read) {
            my ($to, $bytes) = ($other{ fileno $from }, '');
            if (!sysread($from, $bytes, 65_536)) { $open->remove($from); shutdown($to, 1); next }
            while (length $bytes) {
                my $sent = syswrite($to, $bytes) or _exit(0);
                substr($bytes, 0, $sent, '');
            }
        }
    }
    _exit(0);
}

# What is known of a base's layers saves compressing and sending them again.
sub keep_data {
    my ($name) = @_;
    my $data = '/store/data' . (defined $name ? "/$name" : '');
    my $file = 'containers/cache/blob-info-cache-v1.boltdb';
    my $known = defined $name && !-e "$data/$file" ? get("/bases/0/data/$file") : undef;
    mkdir $_, 0700 for '/store/data', $data;
    if (defined $known) {
        mkdir "$data/$_", 0700 for qw(containers containers/cache);
        put("$data/$file", $known);
    }
    return $data;
}

1;
