# Every way out of "unknown".  What works counts at once, what fails only after three in a row, unless it is certain.
hop remote smtp:[relay.example.net]:587 relayhost
hop remote smtp:[other.example.net]:587 transport
hop local  smtp-amavis:[127.0.0.1]:10024 content-filter
hop local  smtpd_proxy_filter:127.0.0.1:10026 proxy-filter
at 0s  look relayhost -> unknown
at 0s  log relayhost deferred -> unknown
at 1s  probe relayhost ok -> up
at 1s  probe transport slow -> degraded
at 1s  probe content-filter connection-refused hard -> down
at 1s  probe proxy-filter connection-lost -> unknown
at 2s  probe proxy-filter connection-lost -> unknown
at 3s  probe proxy-filter local-error -> unknown
at 4s  probe proxy-filter connection-lost -> unknown
at 5s  probe proxy-filter connection-lost -> unknown
at 6s  probe proxy-filter connection-lost -> down
