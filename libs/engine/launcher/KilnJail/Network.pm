# The network of a jail: a pair of linked interfaces, and rules in the jail's own namespace, where nobody inside may change them.
package KilnJail::Network;
use strict;
use warnings;
use KilnJail::System;

# Four addresses for each slot: 10.213.0.0/20 in all for the machine's own way out, the next 4096 for its second, and so on.
sub addresses {
    my ($request, $slot) = @_;
    my $at = ($slot + 1024 * ($request->{way} // 0)) * 4;
    my $net = '10.213.' . int($at / 256);
    return ("$net." . ($at % 256 + 1), "$net." . ($at % 256 + 2));
}

sub outside_name { return 'kv' . shift }

# Links a process's network with the host.
sub connect_outside {
    my ($request, $slot, $process) = @_;
    my ($outside) = addresses($request, $slot);
    my $name = outside_name($slot);
    # The kernel takes its time to remove the last one of this slot.
    system('ip', 'link', 'del', $name) if -e "/sys/class/net/$name";
    feed("link add $name type veth peer name eth0 netns $process\naddr add $outside/30 dev $name\nlink set $name up\n", 'ip', '-batch', '-');
}

sub set_inside {
    my ($request, $slot) = @_;
    my @batch = ('link set lo up');
    if ($request->{network} eq 'open') {
        my ($outside, $inside) = addresses($request, $slot);
        push @batch, "addr add $inside/30 dev eth0", 'link set eth0 up', "route add default via $outside";
        feed(rules($request), 'nft', '-f', '-');
    }
    feed(join("\n", @batch, ''), 'ip', '-batch', '-');
}

sub set_of {
    my ($name, $type, @blocks) = @_;
    my $elements = @blocks ? ' elements = { ' . join(', ', @blocks) . ' };' : '';
    return "set $name { type $type; flags interval; auto-merge;$elements }\n";
}

sub rules {
    my ($request) = @_;
    my $sets = '';
    for my $family (4, 6) {
        for my $name (qw(resolver allow deny only)) {
            my @blocks = grep { (/:/ ? 6 : 4) == $family } @{ $request->{$name} };
            $sets .= set_of("$name$family", "ipv${family}_addr", @blocks);
        }
        $sets .= "set refused$family { type ipv${family}_addr . inet_proto . inet_service; flags dynamic; size 256; }\n";
    }
    my $connections = $request->{connections} // 1024;
    my $has_only = @{ $request->{only} };
    # A list of the only open blocks narrows what follows.
    my $narrow = $has_only ? "ip daddr != \@only4 goto refuse\nip6 daddr != \@only6 goto refuse" : '';
    # Jails have no address of IPv6: what is not listed would go nowhere, and is better told.
    my $rest = $has_only ? 'accept' : "meta nfproto ipv6 goto refuse\naccept";
    return <<"RULES";
table inet jail {
$sets
chain refuse {
meta nfproto ipv4 meta l4proto { tcp, udp } update \@refused4 { ip daddr . meta l4proto . th dport }
meta nfproto ipv6 meta l4proto { tcp, udp } update \@refused6 { ip6 daddr . meta l4proto . th dport }
meta l4proto tcp reject with tcp reset
reject with icmpx type admin-prohibited
}
chain output {
type filter hook output priority 0; policy drop;
oif lo accept
ip daddr \@resolver4 meta l4proto { tcp, udp } th dport 53 limit rate 200/second burst 400 packets accept
ip daddr \@resolver4 meta l4proto { tcp, udp } th dport 53 drop
ip6 daddr \@resolver6 meta l4proto { tcp, udp } th dport 53 limit rate 200/second burst 400 packets accept
ip6 daddr \@resolver6 meta l4proto { tcp, udp } th dport 53 drop
ct state established,related accept
ct state new ct count over $connections reject
$narrow
ip daddr \@allow4 accept
ip6 daddr \@allow6 accept
ip daddr \@deny4 goto refuse
ip6 daddr \@deny6 goto refuse
tcp dport { 25, 465, 587 } goto refuse
$rest
}
chain input {
type filter hook input priority 0; policy drop;
iif lo accept
ct state established,related accept
}
}
RULES
}

# What the rules turned away, as lines of the report. The caller stands in the jail's network.
sub refused {
    my $found = '';
    for my $family (4, 6) {
        open(my $in, '-|', 'nft', '-n', 'list', 'set', 'inet', 'jail', "refused$family") or next;
        local $/;
        my $text = <$in> // '';
        $found .= "refused $1 $2 $3\n" while $text =~ /([0-9a-f.:]+) \. (\d+) \. (\d+)/g;
    }
    return $found;
}

1;
