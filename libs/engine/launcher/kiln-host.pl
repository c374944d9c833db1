#!/usr/bin/perl
# Makes this machine ready for jails with a network, once, when a builder starts: forwarding, addresses translated on the way out,
# and a wall between jails and from jails to the machine itself, beside the rules that each jail has of its own.
# Arguments: for each further way out, `device=gateway`; a jail that names number 1 leaves through the first of them.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(abs_path($0));
use KilnJail::System;

my @ways = map { /^([a-z][a-z0-9.-]{0,14})=(\d{1,3}(?:\.\d{1,3}){3})$/ ? [$1, $2] : die "kiln-host: $_ is not device=gateway\n" } @ARGV;
die "kiln-host: it needs root\n" if $>;
%ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C');

put('/proc/sys/net/ipv4/ip_forward', "1\n");
make_room_for_groups();
# One transaction: there is no moment without the wall. A machine may be its own resolver; which addresses of port 53 are open, each
# jail's own rules say.
feed(<<'RULES', 'nft', '-f', '-');
table inet kiln
delete table inet kiln
table inet kiln {
chain input {
type filter hook input priority -10; policy accept;
iifname "kv*" meta l4proto { tcp, udp } th dport 53 accept
iifname "kv*" drop
}
chain forward {
type filter hook forward priority -10; policy accept;
iifname "kv*" oifname "kv*" drop
oifname "kv*" ct state new drop
}
chain postrouting {
type nat hook postrouting priority 100; policy accept;
ip saddr 10.213.0.0/16 oifname != "kv*" masquerade
}
}
RULES
my $n = 1;
for (@ways) {
    my ($from, $table) = ('10.213.' . 16 * $n . '.0/20', 21_300 + $n);
    # When the way is down, nothing goes by another one.
    feed("route replace default via $_->[1] dev $_->[0] table $table\nroute replace unreachable default metric 9999 table $table\n", 'ip', '-batch', '-');
    my $known = grep { / lookup $table\b/ } `ip rule show`;
    feed("rule add from $from lookup $table\n", 'ip', '-batch', '-') unless $known;
    $n += 1;
}

# In a container with cgroups of version 2, the group at the top holds the container's own processes, and may then not hand its
# controllers on: they go into a group beside the jails'. The machine's own top is exempt from the rule, and has no type.
sub make_room_for_groups {
    my $top = '/sys/fs/cgroup';
    return unless -e "$top/cgroup.controllers" && -e "$top/cgroup.type";
    mkdir "$top/kiln-host";
    for my $process (split /\n/, get("$top/cgroup.procs") // '') {
        # Ended meanwhile, or the kernel's.
        eval { put("$top/kiln-host/cgroup.procs", "$process\n") };
    }
}
