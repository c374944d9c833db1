# The disk of a jail: a file with a file system that cannot grow.
package KilnJail::Volume;
use strict;
use warnings;
use POSIX qw(WNOHANG);
use KilnJail::System;

# What the file system's own books take: some, and a share for the table of inodes.
sub with_books { my ($bytes) = @_; return int($bytes * 1.04) + (16 << 20) }

sub make {
    my ($request) = @_;
    my $file = $request->{volume};
    open(my $made, '>', $file) or die "kiln-jail: $file: $!\n";
    chmod 0600, $file;
    truncate($made, with_books($request->{disk} + ($request->{spare} // 0))) or die "kiln-jail: $file: $!\n";
    close $made;
    # Inodes for a file system of many small files, as Python's are.
    command('mkfs.ext4', '-q', '-F', '-O', '^has_journal,^resize_inode,sparse_super2', '-m', '0', '-i', '8192', '-E', 'nodiscard,root_owner=0:0', $file);
}

# Mounts all volumes below a folder, in the caller's own mount namespace. A store that was used before has room for more than one
# build may use: a file that nobody inside can see takes the difference.
sub attach {
    my ($request, $below, $owner) = @_;
    my $n = 0;
    for (@{ $request->{base} }) {
        mkdir "$below/base$n", 0700;
        command('mount', '-n', '-t', 'ext4', '-o', 'loop,ro,noload', $_, "$below/base$n");
        $n += 1;
    }
    my $at = "$below/volume";
    mkdir $at, 0700;
    make($request) unless -e $request->{volume};
    my $free = attach_one($request, $at);
    if (defined $request->{spare} && $free < $request->{disk}) {
        # What was kept of earlier builds leaves too little for this one.
        command('umount', $at);
        make($request);
        $free = attach_one($request, $at);
    }
    command('fallocate', '-l', $free - $request->{disk}, "$at/ballast") if $free > $request->{disk} + (4 << 20);
    mkdir "$at/store", 0755;
    chown $owner, $owner, "$at/store";
}

# Gives the bytes that are free.
sub attach_one {
    my ($request, $at) = @_;
    command('mount', '-n', '-t', 'ext4', '-o', 'loop,noatime,noinit_itable', $request->{volume}, $at);
    unlink "$at/ballast";
    my ($free) = file_system_room($at);
    return $free;
}

# Waits for a process, and looks how much room is left meanwhile: a step that runs out of it gives back what it took when it
# fails. Gives the process's status and the least that was seen, as lines of the report.
sub watch {
    my ($below, $process) = @_;
    my ($room, $inodes);
    # Ends the nap below.
    local $SIG{CHLD} = sub { };
    until (waitpid($process, WNOHANG) == $process) {
        my ($now, $inodes_now) = file_system_room("$below/volume");
        $room = $now if !defined $room || $now < $room;
        $inodes = $inodes_now if !defined $inodes || $inodes_now < $inodes;
        select(undef, undef, undef, 0.2);
    }
    return ($?, defined $room ? "disk_least $room\ninodes_least $inodes\n" : '');
}

1;
