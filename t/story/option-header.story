# Another name, and no names of ours.  A comment is for those who know the hop.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
option header = "X-Way-Out"
option header_detail = "terse"
at 0s  probe connection-refused hard -> down
at 1s  header -> X-Way-Out: mx.example.com; state=down; role=content-filter; reason=connection-refused; since=1970-01-01T00:00:00Z; id=ID
at 2s  force down saying new disks -> forced-down
at 2s  header -> X-Way-Out: mx.example.com; state=forced-down; role=content-filter; reason=maintenance; since=1970-01-01T00:00:02Z; id=ID
