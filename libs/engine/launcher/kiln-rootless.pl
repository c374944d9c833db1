#!/usr/bin/perl
# Runs one command of the engine where there are no privileges, as an ordinary user: takes the options of kiln-jail.pl, and writes the same
# report. The user's subordinate ids, processes, files and the clock are what it can do: steps share the machine's network, and nothing bounds
# memory, processes or disk. For tenants that are trusted.
#   --abilities      prints what it enforces
#   --remove FOLDER  removes a volume, whose files belong to subordinate ids
#   --bytes FOLDER   prints what a volume takes of the disk
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use POSIX ();
use lib dirname(abs_path($0));
use KilnJail::Inside;
use KilnJail::Request;
use KilnJail::System;

if ("@ARGV" eq '--abilities') { print "own processes\nown files\ntime\nsystem calls\n"; exit 0 }
my ($errand, $folder) = @ARGV == 2 && "@ARGV" =~ m{^--(remove|bytes) ((?:/[A-Za-z0-9._:@-]+)+)$} ? ($1, $2) : ();
my $request = defined $errand ? { seconds => 0 } : KilnJail::Request::parse(@ARGV);
POSIX::close($_) for 3 .. 255;
%ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C');
umask 022;
die_with_parent();

pipe(my $asks, my $ask) or die "kiln-rootless: pipe: $!\n";
pipe(my $answers, my $answer) or die "kiln-rootless: pipe: $!\n";
my $keeper = fork() // die "kiln-rootless: fork: $!\n";
if ($keeper == 0) {
    close $_ for $asks, $answer;
    POSIX::_exit(eval { keep() } // do { print STDOUT $@; STDOUT->flush(); 125 });
}
close $_ for $ask, $answers;
my $timed_out = 0;
$SIG{ALRM} = sub { $timed_out = 1; kill 'KILL', $keeper };
$SIG{TERM} = $SIG{INT} = sub { kill 'KILL', $keeper };
alarm($request->{seconds}) if $request->{seconds} > 0;
if (defined(scalar <$asks>)) { map_ids($keeper); syswrite $answer, "mapped\n" }
close $answer;
1 while waitpid($keeper, 0) < 0 && $!{EINTR};
my $code = exit_code($?);
put("$request->{dir}/report", "exit $code\ntimed_out $timed_out\nmemory_peak 0\noom_kills 0\nforks_refused 0\n") unless defined $errand;
exit $code;

# Root inside is the user itself, the others are its subordinate ids.
sub map_ids {
    my ($process) = @_;
    my $name = getpwuid($>) // $>;
    for (['newuidmap', '/etc/subuid', $>], ['newgidmap', '/etc/subgid', $) + 0]) {
        my ($program, $file, $own) = @$_;
        my ($first, $count) = (get($file) // '') =~ /^(?:\Q$name\E|$>):(\d+):(\d+)$/m
            or die "kiln-rootless: $file gives user $name no subordinate ids\n";
        command($program, $process, 0, $own, 1, 1, $first, $count > 65_535 ? 65_535 : $count);
    }
}

# Holds the namespaces while the engine runs in them.
sub keep {
    die_with_parent();
    namespaces(NEWUSER);
    syswrite $ask, "apart\n";
    defined(scalar <$answers>) or die "kiln-rootless: the ids were not given\n";
    become_root();
    do_errand() if defined $errand;
    my $alone = $request->{network} eq 'none';
    namespaces(NEWNS | NEWIPC | NEWUTS | NEWCGROUP | ($alone ? NEWNET : 0));
    mount_at('none', '/', 'none', MS_REC | MS_PRIVATE);
    command('ip', 'link', 'set', 'lo', 'up') if $alone;
    attach($request->{volume}, "$request->{dir}/volume");
    attach($request->{base}[$_], "$request->{dir}/base$_") for 0 .. $#{ $request->{base} };
    mkdir "$request->{dir}/volume/store", 0755;
    namespaces(NEWPID);
    my $engine = fork() // die "kiln-rootless: fork: $!\n";
    if ($engine == 0) {
        eval { KilnJail::Inside::become_engine($request, undef, 0, undef) };
        print STDOUT $@;
        STDOUT->flush();
        POSIX::_exit(125);
    }
    waitpid $engine, 0;
    return exit_code($?);
}

# A volume is a folder here, shown where the jail looks for it.
sub attach {
    my ($volume, $at) = @_;
    mkdir $_, 0700 for $volume, $at;
    mount_at($volume, $at, 'none', MS_BIND);
}

sub do_errand {
    my @command = $errand eq 'remove' ? ('rm', '-rf', '--', $folder) : ('du', '-s', '-B1', '--', $folder);
    exec { $command[0] } @command;
    die "kiln-rootless: $command[0]: $!\n";
}
