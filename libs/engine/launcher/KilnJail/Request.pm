# What the launcher may be asked: every option and what its value looks like. Nothing of it comes from a tenant as text.
package KilnJail::Request;
use strict;
use warnings;

my $number  = qr/^\d{1,15}$/;
my $path    = qr/^(?:\/[A-Za-z0-9._:@-]+)+$/;
my $address = qr/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{2,39})$/;
my $block   = qr/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{2,39})(?:\/\d{1,3})?$/;

my %single = (
    # Folder of this jail; `request` in it is shown inside as /kiln, and its `command` says what the engine is to do.
    dir => $path,
    # Name below each hierarchy of cgroups.
    cgroup => qr/^[a-z0-9][a-z0-9-]{0,80}(?:\/[a-z0-9][a-z0-9-]{0,80})*$/,
    # What is shown as /store: a file with a file system, made when it is not there.
    volume => $path,
    # Bytes of room on the volume for this run, and beside it for later ones, without which what is there stays in any case; bytes,
    # thousandths of a processor, processes, seconds.
    disk => $number, spare => $number, memory => $number, cpu => $number, pids => $number, seconds => $number,
    # `none`: loopback only; `open`: what the rules below allow.
    network => qr/^(?:none|open)$/,
    connections => $number,
    # Which way out: 0 is the machine's own, others as kiln-host.pl was told.
    way => qr/^[0-9]$/,
    # Socket outside that the engine reaches as 127.0.0.1:5000.
    gateway => $path,
    # Where in the store the engine keeps what it knows of layers.
    data => qr/^[0-9a-f]{1,64}$/,
);
my %repeated = (
    resolver => $address,
    # Blocks: open in any case; closed; when there are any, the only ones that may be open.
    allow => $block, deny => $block, only => $block,
    # Volumes with the images that a build starts from, shown read-only as /bases/0 and so on.
    base => $path,
);
my @needed = qw(dir cgroup volume disk memory cpu pids seconds network);

sub parse {
    my @arguments = @_;
    my %request = map { $_ => [] } keys %repeated;
    while (@arguments) {
        my ($option, $value) = splice(@arguments, 0, 2);
        my ($name) = $option =~ /^--([a-z]+)$/ or die "kiln-jail: options are --name value\n";
        my $form = $single{$name} // $repeated{$name} // die "kiln-jail: there is no option --$name\n";
        die "kiln-jail: --$name has a wrong value\n" if !defined $value || $value !~ $form || $value =~ /\.\.|\n/;
        if ($repeated{$name}) { push @{ $request{$name} }, $value; next }
        die "kiln-jail: --$name is given twice\n" if exists $request{$name};
        $request{$name} = $value;
    }
    for (@needed) { die "kiln-jail: --$_ is missing\n" unless exists $request{$_} }
    return \%request;
}

1;
