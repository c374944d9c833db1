# Memory, processors and processes of a jail: cgroups, version 2 where the machine has only that, otherwise version 1.
package KilnJail::Limits;
use strict;
use warnings;
use KilnJail::System;

my $all = '/sys/fs/cgroup';
my $unified = -e "$all/cgroup.controllers";
# A kernel may be built without an account of swap.
my %optional = map { $_ => 1 } qw(memory.memsw.limit_in_bytes memory.swap.max);

sub wanted {
    my ($request) = @_;
    my ($memory, $quota, $pids) = ($request->{memory}, $request->{cpu} * 100, $request->{pids});
    return ('' => ["memory.max $memory", 'memory.swap.max 0', "cpu.max $quota 100000", "pids.max $pids"]) if $unified;
    return (
        '/memory' => ["memory.limit_in_bytes $memory", "memory.memsw.limit_in_bytes $memory"],
        '/cpu'    => ['cpu.cfs_period_us 100000', "cpu.cfs_quota_us $quota"],
        '/pids'   => ["pids.max $pids"],
        # Holds no limits there, but can end everything in it at once.
        (-d "$all/unified" ? ('/unified' => []) : ()),
    );
}

# Makes the groups; gives their folders.
sub make {
    my ($request) = @_;
    my %wanted = wanted($request);
    my @folders;
    for my $hierarchy (sort keys %wanted) {
        my $folder = "$all$hierarchy";
        for my $part (split /\//, $request->{cgroup}) {
            if ($unified) { for (qw(memory cpu pids)) { eval { put("$folder/cgroup.subtree_control", "+$_\n") } } }
            $folder .= "/$part";
            mkdir $folder or $!{EEXIST} or die "kiln-jail: $folder: $!\n";
        }
        push @folders, $folder;
        for (@{ $wanted{$hierarchy} }) {
            my ($name, $value) = split / /, $_, 2;
            eval { put("$folder/$name", "$value\n"); 1 } or $optional{$name} or die $@;
        }
    }
    return @folders;
}

sub enter { my @folders = @_; put("$_/cgroup.procs", "$$\n") for @folders }

# What was used, as lines of the report.
sub usage {
    my ($request) = @_;
    my ($memory, $pids) = map { $unified ? "$all/$request->{cgroup}" : "$all/$_/$request->{cgroup}" } qw(memory pids);
    my ($peak) = (get("$memory/memory.peak") // get("$memory/memory.max_usage_in_bytes") // '') =~ /^(\d+)/;
    my ($killed) = (get("$memory/memory.events") // get("$memory/memory.oom_control") // '') =~ /^oom_kill (\d+)/m;
    my ($refused) = (get("$pids/pids.events") // '') =~ /^max (\d+)/m;
    return sprintf "memory_peak %d\noom_kills %d\nforks_refused %d\n", $peak // 0, $killed // 0, $refused // 0;
}

sub remove {
    for my $folder (@_) {
        if (-e "$folder/cgroup.kill") { eval { put("$folder/cgroup.kill", "1\n") } }
        # Busy for a moment after its last process.
        for (1 .. 50) { remove_tree($folder); last unless -d $folder; select(undef, undef, undef, 0.01) }
    }
}

sub remove_tree {
    my ($folder) = @_;
    opendir(my $in, $folder) or return;
    for (readdir $in) { remove_tree("$folder/$_") if !/^\./ && -d "$folder/$_" }
    closedir $in;
    rmdir $folder;
}

1;
