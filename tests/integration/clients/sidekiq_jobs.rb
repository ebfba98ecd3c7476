# Sidekiq as a program uses it, with a crash in the middle.  sidekiq_jobs.rb PORT (programs.py)
require "sidekiq"
require "sidekiq/api"
require "sidekiq/cli"
require "sidekiq/launcher"

Sidekiq.logger.level = Logger::FATAL
Redis.silence_deprecations = true # of the calls that Sidekiq makes
Sidekiq.configure_server { |config| config.redis = { port: ARGV[0].to_i } }

RAN = Hash.new(0) # how often, by what it was given
LOCK = Mutex.new
RELEASED = Queue.new

def assert_equal(expected, found)
  raise "#{found.inspect} is not #{expected.inspect}" unless expected == found
end

# Wait until the block gives something that is true.
def wait_until(what)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
  until yield
    raise "waited in vain for #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    sleep 0.01
  end
end

# The server saves, is killed, and is there again.
def crash
  $stdout.puts "crash"
  $stdout.flush
  assert_equal "restarted\n", $stdin.gets
end

def count(job)
  LOCK.synchronize { RAN[job] += 1 }
end

class Square
  include Sidekiq::Worker
  def perform(n, due = 0)
    raise "too early" if Time.now.to_f < due
    count(n)
  end
end

class Held
  include Sidekiq::Worker
  sidekiq_options queue: "urgent"
  def perform(n)
    count("begun #{n}")
    RELEASED.pop
    count(n)
  end
end

class Fails
  include Sidekiq::Worker
  sidekiq_options retry: 1
  def perform(n, times)
    raise ArgumentError, "failure #{RAN[n]}" if count(n) <= times
  end
end

class Hopeless
  include Sidekiq::Worker
  sidekiq_options retry: false
  def perform(n)
    count(n)
    raise "never"
  end
end

def stats
  Sidekiq::Launcher.flush_stats
  Sidekiq::Stats.new
end

retries, dead, scheduled = Sidekiq::RetrySet.new, Sidekiq::DeadSet.new, Sidekiq::ScheduledSet.new
idle = Sidekiq::Queue.new("idle")
mover = Sidekiq::Scheduled::Enq.new # moves what is due, by a script that it thinks is loaded
launcher = Sidekiq::Launcher.new(Sidekiq.options.merge(queues: %w[urgent urgent default], concurrency: 5))
launcher.run
launcher.poller.terminate # the mover below does what is due, and not in the moment of the crash

50.times { |n| Square.perform_async(n) }
Square.perform_bulk((50...200).map { |n| [n] })
fails, hopeless = Fails.perform_async("fails", 2), Hopeless.perform_async("hopeless")
wait_until("200 jobs") { (0...200).all? { |n| RAN[n] == 1 } && RAN["hopeless"] == 1 }
wait_until("the failed job") { retries.size == 1 }
assert_equal [fails, "ArgumentError", 0], retries.map { |job| [job.jid, job["error_class"], job["retry_count"]] }[0]
retries.first.add_to_queue # a retry by hand would not count
wait_until("its death") { dead.size == 1 }
assert_equal fails, dead.first.jid

# What waits: for its retry, for its time, in a queue of nobody; and what somebody has in hand.
Fails.perform_async("again", 1)
wait_until("its first failure") { retries.size == 1 }
mover.enqueue_jobs
due = Time.now.to_f + 1.5
Square.perform_at(due, "soon", due)
Square.perform_in(86400, "late")
20.times { |n| Square.set(queue: "idle").perform_async("idle #{n}") }
2.times { |n| Held.perform_async("held #{n}") }
wait_until("jobs in hand") { RAN["begun held 0"] == 1 && RAN["begun held 1"] == 1 }
wait_until("the counters") { [stats.processed, stats.failed] == [204, 4] }
wait_until("the process") { Sidekiq::ProcessSet.new.size == 1 }
crash

now = stats
assert_equal [204, 4, 1, 1, 20], [now.processed, now.failed, now.retry_size, now.dead_size, idle.size]
assert_equal({ "idle" => 20 }, now.queues.select { |_, n| n > 0 })
2.times { RELEASED << true }
wait_until("what was in hand") { RAN["held 0"] == 1 && RAN["held 1"] == 1 }
wait_until("what was due") do
  mover.enqueue_jobs
  RAN["soon"] == 1
end
assert_equal ["late"], scheduled.map { |job| job.args[0] }
scheduled.first.add_to_queue
retries.each(&:retry)
dead.each(&:retry)
assert_equal 20, idle.map(&:jid).uniq.size
idle.each { |job| Sidekiq::Client.push(job.item.merge("queue" => "default")) && job.delete }
wait_until("everything") { RAN["again"] == 2 && RAN["fails"] == 3 && RAN["late"] == 1 && (0...20).all? { |n| RAN["idle #{n}"] == 1 } }
wait_until("the counters after the crash") { [stats.processed, stats.failed] == [230, 4] }
assert_equal [0, 0, 0, 0], [stats.enqueued, stats.retry_size, stats.dead_size, stats.scheduled_size]
launcher.stop
assert_equal [], RAN.reject { |job, n| n == 1 || %w[again fails].include?(job) }.to_a
puts "ok"
