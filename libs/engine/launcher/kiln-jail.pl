#!/usr/bin/perl
# Runs one command of the engine in a jail. The only part of Kiln that needs root: it gets numbers, addresses and paths, checks
# each of them, and never looks at what a tenant wrote. The command itself is read inside, after every right has been given up.
#
# In order: a slot with user ids of its own, limits, a volume that bounds the disk, a network with rules, a root folder with what
# is listed and nothing else, a user namespace. All but the cgroups' folders goes with the last process, however that ends.
# `report` in the jail's folder tells how it went.
use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:flock O_RDWR O_CREAT);
use File::Basename qw(dirname);
use POSIX ();
use lib dirname(abs_path($0));
use KilnJail::Inside;
use KilnJail::Limits;
use KilnJail::Network;
use KilnJail::Request;
use KilnJail::System;
use KilnJail::Volume;

# Who owns files on disk, whichever slot wrote them; mounts show them under the slot's own ids. Above all that systemd and
# useradd give out.
my $disk_ids = 2_000_000_000;
my $ids = 65_536;
my $slots = 1000;

my $request = KilnJail::Request::parse(@ARGV);
die "kiln-jail: it needs root\n" if $>;
# What was open before must not be open inside.
POSIX::close($_) for 3 .. 255;
%ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C');
umask 022;
die_with_parent();

my ($slot, $slot_lock) = take_slot();
my $first_id = $disk_ids + $ids * (1 + $slot);
my @cgroups = KilnJail::Limits::make($request);
END { local $?; KilnJail::Limits::remove(@cgroups) }

pipe(my $from_keeper, my $to_outside) or die "kiln-jail: pipe: $!\n";
pipe(my $from_outside, my $to_keeper) or die "kiln-jail: pipe: $!\n";
my $keeper = fork() // die "kiln-jail: fork: $!\n";
if ($keeper == 0) {
    close $_ for $from_keeper, $to_keeper;
    POSIX::_exit(eval { keep() } // do { print STDOUT $@; STDOUT->flush(); 125 });
}
close $_ for $to_outside, $from_outside;

my $timed_out = 0;
$SIG{ALRM} = sub { $timed_out = 1; kill 'KILL', $keeper };
$SIG{TERM} = $SIG{INT} = sub { kill 'KILL', $keeper };
alarm($request->{seconds}) if $request->{seconds} > 0;
my $jail_network = meet();
my $told = do { local $/; <$from_keeper> } // '';
1 while waitpid($keeper, 0) < 0 && $!{EINTR};
my $code = exit_code($?);
alarm 0;
my $report = "exit $code\ntimed_out $timed_out\n" . KilnJail::Limits::usage($request) . $told;
if (defined $jail_network) { join_network($jail_network); $report .= KilnJail::Network::refused() }
put("$request->{dir}/report", $report);
exit $code;

# A slot that no other jail of this machine has; its number says which user ids and addresses are used.
sub take_slot {
    mkdir '/run/kiln-jail', 0700;
    for my $n (0 .. $slots - 1) {
        sysopen(my $lock, "/run/kiln-jail/$n", O_RDWR | O_CREAT, 0600) or die "kiln-jail: /run/kiln-jail/$n: $!\n";
        return ($n, $lock) if flock($lock, LOCK_EX | LOCK_NB);
        close $lock;
    }
    die "kiln-jail: all $slots slots are taken\n";
}

# Links the keeper's network, once it has one. What it gives holds that network, so that it can be asked afterwards.
sub meet {
    defined(scalar <$from_keeper>) or return undef;
    return undef if $request->{network} eq 'none' && close $to_keeper;
    KilnJail::Network::connect_outside($request, $slot, $keeper);
    my $network = POSIX::open("/proc/$keeper/ns/net", 0);
    close $to_keeper;
    return $network;
}

# Holds the namespaces while the engine runs in them.
sub keep {
    die_with_parent();
    KilnJail::Limits::enter(@cgroups);
    namespaces(NEWNS | NEWNET | NEWIPC | NEWUTS | NEWCGROUP);
    mount_at('none', '/', 'none', MS_REC | MS_PRIVATE);
    syswrite $to_outside, "apart\n";
    # Its end says that the other half is there.
    my $linked = <$from_outside>;
    KilnJail::Network::set_inside($request, $slot);
    KilnJail::Volume::attach($request, $request->{dir}, $disk_ids);
    my $owners = owners_namespace();

    pipe(my $asks, my $ask) or die "kiln-jail: pipe: $!\n";
    pipe(my $answers, my $answer) or die "kiln-jail: pipe: $!\n";
    # From here on, the next child is the first process of the jail, and this one can have no other.
    namespaces(NEWPID);
    my $engine = fork() // die "kiln-jail: fork: $!\n";
    if ($engine == 0) {
        close $_ for $asks, $answer, $to_outside;
        my $get_ids = sub {
            close $ask;
            defined(scalar <$answers>) or die "kiln-jail: the ids were not given\n";
            close $answers;
        };
        eval { KilnJail::Inside::become_engine($request, $owners, $first_id, $get_ids) };
        print STDOUT $@;
        STDOUT->flush();
        POSIX::_exit(125);
    }
    close $_ for $ask, $answers;
    my $apart = <$asks>;
    eval { map_ids($engine, 0, $first_id); syswrite $answer, "mapped\n" };
    close $answer;
    my ($status, $told) = KilnJail::Volume::watch($request->{dir}, $engine);
    syswrite $to_outside, $told;
    return exit_code($status);
}

sub map_ids {
    my ($process, $inside, $outside) = @_;
    put("/proc/$process/$_", "$inside $outside $ids\n") for qw(gid_map uid_map);
}

# A user namespace that only says who owns what: for mounts.
sub owners_namespace {
    pipe(my $ready, my $say) or die "kiln-jail: pipe: $!\n";
    pipe(my $stay, my $leave) or die "kiln-jail: pipe: $!\n";
    my $child = fork() // die "kiln-jail: fork: $!\n";
    if ($child == 0) {
        close $_ for $ready, $leave;
        namespaces(NEWUSER);
        close $say;
        sysread $stay, my $end, 1;
        POSIX::_exit(0);
    }
    close $_ for $say, $stay;
    sysread $ready, my $end, 1;
    map_ids($child, $disk_ids, $first_id);
    my $namespace = POSIX::open("/proc/$child/ns/user", 0) // die "kiln-jail: user namespace: $!\n";
    close $leave;
    waitpid $child, 0;
    return $namespace;
}
