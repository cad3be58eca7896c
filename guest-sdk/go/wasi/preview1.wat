;; WASI preview 1 for a module that has nothing of a system but the host's own imports: no files, no arguments, no
;; environment. Go's runtime imports WASI whether or not the program uses it; this module stands in for it, so that the
;; component imports only what the contract has.
;;
;; - What is written to stdout and stderr goes to the tenant's log, at `info` and `warn`. Writes are joined up to the end of
;;   the line, in a buffer that the module gives (`adapter_output_buffer`): the runtime writes a traceback word by word.
;;   `adapter_output_flush` and `proc_exit` log what has no line end.
;; - The wall clock is the contract's clock, the monotonic clock is a counter: each look is a microsecond later, and a
;;   sleep ends at once and takes the clock along.
;; - Random bytes are the contract's.
;; - `proc_exit` logs the status, and traps.
;;
;; While `adapter_monotonic_clock_set_paused` holds, nothing is imported: the component model allows no call while the
;; host allocates (`cabi_realloc`), but Go's collector may run there, and looks at both clocks.
(module
  (import "pointsman:router/log@0.1.0" "log" (func $log (param $level i32) (param $at i32) (param $length i32)))
  (import "pointsman:router/clock@0.1.0" "now-ms" (func $now_ms (result i64)))
  (import "pointsman:router/random@0.1.0" "get-u64" (func $get_u64 (result i64)))
  (import "env" "memory" (memory 0))

  (global $paused (mut i32) (i32.const 0))
  ;; Nanoseconds.
  (global $wall (mut i64) (i64.const 0))
  (global $monotonic (mut i64) (i64.const 0))

  (func (export "adapter_monotonic_clock_set_paused") (param $paused i32)
    (global.set $paused (local.get $paused)))

  ;; As the `go` tool reports it: `exit status 3`.
  (func (export "proc_exit") (param $code i32)
    (call $flush)
    (if (global.get $room)
      (then
        (i64.store (global.get $buffer) (i64.const 0x6174732074697865)) ;; `exit sta`
        (i32.store offset=8 (global.get $buffer) (i32.const 0x20737574)) ;; `tus `
        (global.set $used (i32.const 12))
        (call $number (local.get $code))
        (global.set $level (i32.const 4))
        (call $flush)))
    unreachable)

  (func $number (param $number i32)
    (if (i32.gt_u (local.get $number) (i32.const 9))
      (then (call $number (i32.div_u (local.get $number) (i32.const 10)))))
    (i32.store8 (i32.add (global.get $buffer) (global.get $used))
      (i32.add (i32.rem_u (local.get $number) (i32.const 10)) (i32.const 0x30)))
    (global.set $used (i32.add (global.get $used) (i32.const 1))))

  (func (export "sched_yield") (result i32)
    i32.const 0)

  ;; --- Arguments and environment: none ------------------------------------------------------------------------------

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    i32.const 0)
  (func $nothing (param i32 i32) (result i32)
    i32.const 0)
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  ;; --- Clocks and randomness ----------------------------------------------------------------------------------------

  (func (export "clock_res_get") (param $clock i32) (param $at i32) (result i32)
    (i64.store (local.get $at) (select (i64.const 1000) (i64.const 1000000) (local.get $clock)))
    i32.const 0)

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $at i32) (result i32)
    (if (local.get $clock)
      (then
        (global.set $monotonic (i64.add (global.get $monotonic) (i64.const 1000)))
        (i64.store (local.get $at) (global.get $monotonic)))
      (else
        (if (i32.eqz (global.get $paused))
          (then (global.set $wall (i64.mul (call $now_ms) (i64.const 1000000)))))
        (i64.store (local.get $at) (global.get $wall))))
    i32.const 0)

  ;; 52: ENOSYS
  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (local $bits i64) (local $end i32)
    (if (global.get $paused) (then (return (i32.const 52))))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (if (i32.eq (local.get $at) (local.get $end)) (then (return (i32.const 0))))
      ;; Zero: eight bytes were written, or none yet.
      (if (i32.eqz (i32.and (i32.sub (local.get $end) (local.get $at)) (i32.const 7)))
        (then (local.set $bits (call $get_u64)))
        (else (if (i64.eqz (local.get $bits)) (then (local.set $bits (call $get_u64))))))
      (i64.store8 (local.get $at) (local.get $bits))
      (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    unreachable)

  ;; Every event is there at once. A subscription has 48 bytes, an event 32.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $left i32) (local $end i64)
    (local.set $left (local.get $count))
    (loop $next
      (if (local.get $left)
        (then
          (i64.store (local.get $out) (i64.load (local.get $in)))
          (i64.store offset=8 (local.get $out) (i64.const 0))
          (i64.store offset=16 (local.get $out) (i64.const 0))
          (i64.store offset=24 (local.get $out) (i64.const 0))
          (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $in)))
          (if (i32.load8_u offset=8 (local.get $in))
            ;; 8: EBADF, there are no files to wait for.
            (then (i32.store16 offset=8 (local.get $out) (i32.const 8)))
            (else
              (local.set $end (i64.load offset=24 (local.get $in)))
              (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1)))
                (then (local.set $end (i64.add (local.get $end) (global.get $monotonic)))))
              (if (i64.gt_u (local.get $end) (global.get $monotonic))
                (then (global.set $monotonic (local.get $end))))))
          (local.set $in (i32.add (local.get $in) (i32.const 48)))
          (local.set $out (i32.add (local.get $out) (i32.const 32)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $next))))
    (i32.store (local.get $events) (local.get $count))
    i32.const 0)

  ;; --- Output -------------------------------------------------------------------------------------------------------

  (func (export "fd_write") (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (loop $next
      (if (local.get $count)
        (then
          (call $append (i32.add (local.get $fd) (i32.const 1))
            (i32.load (local.get $pieces)) (i32.load offset=4 (local.get $pieces)))
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $pieces))))
          (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (i32.store (local.get $written) (local.get $sum))
    i32.const 0)

  ;; The unfinished line: where it is, for how many bytes there is room, how many it has, and its level. Without room,
  ;; before the module has given the buffer, nothing is kept.
  (global $buffer (mut i32) (i32.const 0))
  (global $room (mut i32) (i32.const 0))
  (global $used (mut i32) (i32.const 0))
  (global $level (mut i32) (i32.const 0))

  (func (export "adapter_output_buffer") (param $at i32) (param $length i32)
    (global.set $buffer (local.get $at))
    (global.set $room (local.get $length)))

  (func $flush (export "adapter_output_flush")
    (if (i32.eqz (global.get $used)) (then (return)))
    (call $line (global.get $level) (global.get $buffer) (global.get $used))
    (global.set $used (i32.const 0)))

  (func $append (param $level i32) (param $at i32) (param $length i32)
    (local $byte i32)
    (if (i32.eqz (global.get $room)) (then (return)))
    (if (i32.ne (local.get $level) (global.get $level)) (then (call $flush)))
    (global.set $level (local.get $level))
    (loop $next
      (if (local.get $length)
        (then
          (local.set $byte (i32.load8_u (local.get $at)))
          (if (i32.eq (local.get $byte) (i32.const 10))
            (then (call $flush))
            (else
              (if (i32.eq (global.get $used) (global.get $room)) (then (call $flush)))
              (i32.store8 (i32.add (global.get $buffer) (global.get $used)) (local.get $byte))
              (global.set $used (i32.add (global.get $used) (i32.const 1)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $length (i32.sub (local.get $length) (i32.const 1)))
          (br $next)))))

  ;; A text that is not UTF-8 may not leave: it is split where it is not.
  (func $line (param $level i32) (param $at i32) (param $length i32)
    (local $valid i32)
    (if (global.get $paused) (then (return)))
    (loop $next
      (local.set $valid (call $valid (local.get $at) (local.get $length)))
      (if (local.get $valid) (then (call $log (local.get $level) (local.get $at) (local.get $valid))))
      ;; Behind the byte that is wrong.
      (local.set $valid (i32.add (local.get $valid) (i32.const 1)))
      (if (i32.lt_u (local.get $valid) (local.get $length))
        (then
          (local.set $at (i32.add (local.get $at) (local.get $valid)))
          (local.set $length (i32.sub (local.get $length) (local.get $valid)))
          (br $next)))))

  ;; How many bytes from the start are UTF-8.
  (func $valid (param $at i32) (param $length i32) (result i32)
    (local $done i32) (local $byte i32) (local $more i32) (local $least i32) (local $point i32) (local $next i32)
    (loop $character
      (if (i32.ge_u (local.get $done) (local.get $length)) (then (return (local.get $done))))
      (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $done))))
      (local.set $next (i32.add (local.get $done) (i32.const 1)))
      (if (i32.ge_u (local.get $byte) (i32.const 0x80))
        (then
          (if (i32.eq (i32.and (local.get $byte) (i32.const 0xe0)) (i32.const 0xc0))
            (then
              (local.set $more (i32.const 1)) (local.set $least (i32.const 0x80))
              (local.set $point (i32.and (local.get $byte) (i32.const 0x1f))))
            (else (if (i32.eq (i32.and (local.get $byte) (i32.const 0xf0)) (i32.const 0xe0))
              (then
                (local.set $more (i32.const 2)) (local.set $least (i32.const 0x800))
                (local.set $point (i32.and (local.get $byte) (i32.const 0x0f))))
              (else (if (i32.eq (i32.and (local.get $byte) (i32.const 0xf8)) (i32.const 0xf0))
                (then
                  (local.set $more (i32.const 3)) (local.set $least (i32.const 0x10000))
                  (local.set $point (i32.and (local.get $byte) (i32.const 0x07))))
                (else (return (local.get $done))))))))
          (loop $continue
            (if (i32.ge_u (local.get $next) (local.get $length)) (then (return (local.get $done))))
            (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $next))))
            (if (i32.ne (i32.and (local.get $byte) (i32.const 0xc0)) (i32.const 0x80))
              (then (return (local.get $done))))
            (local.set $point
              (i32.or (i32.shl (local.get $point) (i32.const 6)) (i32.and (local.get $byte) (i32.const 0x3f))))
            (local.set $next (i32.add (local.get $next) (i32.const 1)))
            (local.set $more (i32.sub (local.get $more) (i32.const 1)))
            (br_if $continue (local.get $more)))
          ;; Too long a form, half of a surrogate pair, or behind the last character.
          (if (i32.or
                (i32.or (i32.lt_u (local.get $point) (local.get $least)) (i32.gt_u (local.get $point) (i32.const 0x10ffff)))
                (i32.eq (i32.shr_u (local.get $point) (i32.const 11)) (i32.const 0x1b)))
            (then (return (local.get $done))))))
      (local.set $done (local.get $next))
      (br $character))
    unreachable)

  ;; --- Files and sockets: none (8: EBADF) ---------------------------------------------------------------------------

  (func $bad1 (param i32) (result i32)
    i32.const 8)
  (func $bad2 (param i32 i32) (result i32)
    i32.const 8)
  (func $bad3 (param i32 i32 i32) (result i32)
    i32.const 8)
  (func $bad4 (param i32 i32 i32 i32) (result i32)
    i32.const 8)
  (func $bad5 (param i32 i32 i32 i32 i32) (result i32)
    i32.const 8)
  (func $bad6 (param i32 i32 i32 i32 i32 i32) (result i32)
    i32.const 8)
  (func $bad7 (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    i32.const 8)
  (func $bad_allocate (param i32 i64 i64) (result i32)
    i32.const 8)
  (func $bad_advise (param i32 i64 i64 i32) (result i32)
    i32.const 8)
  (func $bad_set_size (param i32 i64) (result i32)
    i32.const 8)
  (func $bad_set_times (param i32 i64 i64 i32) (result i32)
    i32.const 8)
  (func $bad_seek (param i32 i64 i32 i32) (result i32)
    i32.const 8)
  (func $bad_rights (param i32 i64 i64) (result i32)
    i32.const 8)
  (func $bad_pio (param i32 i32 i32 i64 i32) (result i32)
    i32.const 8)
  (func $bad_path_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)
    i32.const 8)
  (func $bad_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)
    i32.const 8)
  (export "fd_close" (func $bad1))
  (export "fd_datasync" (func $bad1))
  (export "fd_sync" (func $bad1))
  (export "fd_fdstat_get" (func $bad2))
  (export "fd_fdstat_set_flags" (func $bad2))
  (export "fd_filestat_get" (func $bad2))
  (export "fd_prestat_get" (func $bad2))
  (export "fd_renumber" (func $bad2))
  (export "fd_tell" (func $bad2))
  (export "sock_shutdown" (func $bad2))
  (export "fd_prestat_dir_name" (func $bad3))
  (export "path_create_directory" (func $bad3))
  (export "path_remove_directory" (func $bad3))
  (export "path_unlink_file" (func $bad3))
  (export "sock_accept" (func $bad3))
  (export "fd_read" (func $bad4))
  (export "path_filestat_get" (func $bad5))
  (export "path_symlink" (func $bad5))
  (export "sock_send" (func $bad5))
  (export "path_readlink" (func $bad6))
  (export "path_rename" (func $bad6))
  (export "sock_recv" (func $bad6))
  (export "path_link" (func $bad7))
  (export "fd_allocate" (func $bad_allocate))
  (export "fd_advise" (func $bad_advise))
  (export "fd_filestat_set_size" (func $bad_set_size))
  (export "fd_filestat_set_times" (func $bad_set_times))
  (export "fd_seek" (func $bad_seek))
  (export "fd_fdstat_set_rights" (func $bad_rights))
  (export "fd_pread" (func $bad_pio))
  (export "fd_pwrite" (func $bad_pio))
  (export "fd_readdir" (func $bad_pio))
  (export "path_filestat_set_times" (func $bad_path_times))
  (export "path_open" (func $bad_open)))
