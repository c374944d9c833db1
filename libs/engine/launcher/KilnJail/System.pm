# System calls that Perl has no words for, and small things with files and commands.
package KilnJail::System;
use strict;
use warnings;
use Exporter 'import';
use POSIX ();

our @EXPORT = qw(
    must namespaces join_network mount_at bind_ro bind_with_owners pivot_into die_with_parent become_root exit_code file_system_room put get feed command
    NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_REMOUNT MS_BIND MS_REC MS_PRIVATE
);
use constant {
    NEWNS => 0x20000, NEWCGROUP => 0x2000000, NEWUTS => 0x4000000, NEWIPC => 0x8000000, NEWUSER => 0x10000000,
    NEWPID => 0x20000000, NEWNET => 0x40000000,
    MS_RDONLY => 1, MS_NOSUID => 2, MS_NODEV => 4, MS_NOEXEC => 8, MS_REMOUNT => 32, MS_BIND => 4096, MS_REC => 16_384,
    MS_PRIVATE => 1 << 18,
};

my %numbers = (
    x86_64  => { unshare => 272, mount => 165, umount => 166, pivot_root => 155, prctl => 157, setns => 308, statfs => 137 },
    aarch64 => { unshare => 97, mount => 40, umount => 39, pivot_root => 41, prctl => 167, setns => 268, statfs => 43 },
);
my $number = $numbers{ (POSIX::uname())[4] } or die "kiln-jail: this kind of processor is not supported\n";
# The same on every kind.
$number = { %$number, open_tree => 428, move_mount => 429, mount_setattr => 442 };

sub must {
    my ($result, $what) = @_;
    die "kiln-jail: $what: $!\n" if !defined $result || $result < 0;
    return $result;
}

# Perl hands over numbers as numbers and texts as pointers; a text has to be a variable.
sub system_call {
    my ($name, @arguments) = @_;
    my @given = map { my $it = $_; $it } @arguments;
    push @given, 0 while @given < 5;
    return must(syscall($number->{$name}, $given[0], $given[1], $given[2], $given[3], $given[4]), $name);
}

sub namespaces { system_call('unshare', shift) }
sub join_network { system_call('setns', shift, NEWNET) }

sub mount_at {
    my ($source, $target, $type, $flags, $data) = @_;
    eval { system_call('mount', "$source", "$target", "$type", $flags + 0, defined $data ? "$data" : 0); 1 } or die "$target: $@";
}

# A bind ignores the flags of its first mount.
sub bind_ro {
    my ($source, $target) = @_;
    mount_at($source, $target, 'none', MS_BIND);
    mount_at('none', $target, 'none', MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV);
}

# Shows a folder with the owners that a user namespace says. What is writable goes without nosuid and nodev, since runc could
# not mount parts of it read-only otherwise: nobody in a jail can make a device, and a set-user-id file gives ids of the jail only.
sub bind_with_owners {
    my ($source, $target, $namespace, $read_only) = @_;
    my $tree = system_call('open_tree', -100, "$source", 0x80001);
    my $attributes = pack('Q4', 0x100000 | ($read_only ? MS_NOSUID | MS_NODEV | MS_RDONLY : 0), 0, 0, $namespace);
    my $empty = '';
    must(syscall($number->{mount_setattr}, $tree, $empty, 0x1000, $attributes, length $attributes), "mount_setattr $source");
    system_call('move_mount', $tree, $empty, -100, "$target", 4);
    POSIX::close($tree);
}

sub pivot_into {
    my ($root) = @_;
    chdir $root or die "kiln-jail: $root: $!\n";
    system_call('pivot_root', '.', 'old');
    system_call('umount', 'old', 2);
    chdir '/';
}

# The kernel forgets this when a process changes its ids.
sub die_with_parent { system_call('prctl', 1, 9) }

# Root of the user namespace that the caller is in, once its ids are mapped.
sub become_root {
    $) = '0 0';
    POSIX::setgid(0) && POSIX::setuid(0) && $> == 0 && $) =~ /^0(?: 0)*$/ or die "kiln-jail: the ids were not taken: $!\n";
    die_with_parent();
}

# As a shell has it: a signal counts as 128 and its number.
sub exit_code { my ($status) = @_; return $status & 127 ? 128 + ($status & 127) : $status >> 8 }

# Bytes and inodes that are left in the file system of a folder.
sub file_system_room {
    my ($folder) = @_;
    my $buffer = "\0" x 256;
    must(syscall($number->{statfs}, $folder, $buffer), "statfs $folder");
    my (undef, $block, undef, undef, $blocks, undef, $inodes) = unpack('q7', $buffer);
    return ($block * $blocks, $inodes);
}

sub put {
    my ($file, $text) = @_;
    open(my $out, '>', $file) or die "kiln-jail: $file: $!\n";
    print $out $text;
    close($out) or die "kiln-jail: $file: $!\n";
}

sub get {
    my ($file) = @_;
    open(my $in, '<', $file) or return undef;
    local $/;
    return scalar <$in>;
}

# Runs a command with a text as its standard input.
sub feed {
    my ($text, @command) = @_;
    open(my $to, '|-', @command) or die "kiln-jail: $command[0]: $!\n";
    print $to $text;
    close $to or die "kiln-jail: $command[0] failed\n";
}

sub command {
    my @command = @_;
    system { $command[0] } @command;
    die "kiln-jail: $command[0] failed\n" if $?;
}

1;
