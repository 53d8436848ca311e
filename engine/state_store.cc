#include "engine/state_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/files.h"

namespace stack::engine {

namespace {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Error sqlite_error(sqlite3* db, const std::string& what) {
  const int code = sqlite3_errcode(db);
  const char* file = sqlite3_db_filename(db, "main");
  struct statvfs disk {};
  // SQLite calls a full disk "disk I/O error" where its shared memory does not fit.
  if (code == SQLITE_FULL ||
      (code == SQLITE_IOERR && file != nullptr &&
       ::statvfs(std::filesystem::path(file).parent_path().c_str(), &disk) == 0 &&
       disk.f_bavail * disk.f_bsize < 1U << 20U)) {
    return Error::os(ENOSPC, "state store: " + what)
        .fix("Free some space on the disk that holds it.");
  }
  return Error::make(ErrorKind::kOs, "state store: " + what + ": " + sqlite3_errmsg(db));
}

Result<Statement> prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK)
    return sqlite_error(db, sql);
  return Statement(statement);
}

Status bind_text(sqlite3* db, sqlite3_stmt* statement, int index, const std::string& text) {
  if (sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()),
                        SQLITE_TRANSIENT) != SQLITE_OK) {
    return sqlite_error(db, "bind");
  }
  return ok_status();
}

std::string column(sqlite3_stmt* statement, int index) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
  return text != nullptr
             ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index)))
             : std::string();
}

}  // namespace

struct StateStore::Impl {
  Fd lock;
  Database db;
  Statement put, erase;
};

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

Result<std::unique_ptr<StateStore>> StateStore::open(const std::filesystem::path& file) {
  auto impl = std::make_unique<Impl>();
  // An engine that was killed holds its lock until the kernel has taken it apart.
  auto lock = lock_file(file.string() + ".lock", false);
  for (int tries = 0; !lock.ok() && lock.error().kind == ErrorKind::kConflict && tries < 100;
       ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    lock = lock_file(file.string() + ".lock", false);
  }
  if (!lock.ok() && lock.error().kind == ErrorKind::kConflict)
    return Error(lock.error())
        .fix("Another engine uses this state, or is starting: try again in a moment.");
  impl->lock = TRY(std::move(lock));
  // It holds what people keep secret. SQLite gives its other files the mode of this one.
  const Fd made = TRY(open_fd(file, O_WRONLY | O_CREAT, 0600));
  if (::fchmod(made.get(), 0600) != 0) return Error::os(errno, file.string());
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(
      file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  impl->db.reset(db);
  if (rc != SQLITE_OK) return sqlite_error(db, file.string());
  // NORMAL in WAL mode may lose the last transactions on power loss, never on a crash of ours, and
  // never consistency: sqlite.org/pragma.html#pragma_synchronous. What runs is observed anyway.
  static constexpr const char* kSetUp =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512; PRAGMA "
      "mmap_size=0;"
      "CREATE TABLE IF NOT EXISTS documents (kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT "
      "NOT NULL,"
      " PRIMARY KEY (kind, key)) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS history (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, project "
      "TEXT NOT NULL, document TEXT NOT NULL);"
      "CREATE INDEX IF NOT EXISTS history_of_project ON history (project, seq);";
  if (sqlite3_exec(db, kSetUp, nullptr, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(db, file.string());
  impl->put =
      TRY(prepare(db, "INSERT OR REPLACE INTO documents (kind, key, document) VALUES (?, ?, ?)"));
  impl->erase = TRY(prepare(db, "DELETE FROM documents WHERE kind = ? AND key = ?"));
  return std::unique_ptr<StateStore>(new StateStore(std::move(impl)));
}

Status StateStore::put(const std::string& kind, const std::string& key,
                       const std::string& document) {
  sqlite3_stmt* statement = impl_->put.get();
  sqlite3_reset(statement);
  TRY(bind_text(impl_->db.get(), statement, 1, kind));
  TRY(bind_text(impl_->db.get(), statement, 2, key));
  TRY(bind_text(impl_->db.get(), statement, 3, document));
  if (sqlite3_step(statement) != SQLITE_DONE)
    return sqlite_error(impl_->db.get(), "writing " + kind + " " + key);
  return ok_status();
}

Status StateStore::erase(const std::string& kind, const std::string& key) {
  sqlite3_stmt* statement = impl_->erase.get();
  sqlite3_reset(statement);
  TRY(bind_text(impl_->db.get(), statement, 1, kind));
  TRY(bind_text(impl_->db.get(), statement, 2, key));
  if (sqlite3_step(statement) != SQLITE_DONE)
    return sqlite_error(impl_->db.get(), "erasing " + kind + " " + key);
  return ok_status();
}

Result<std::vector<std::pair<std::string, std::string>>> StateStore::all(
    const std::string& kind) const {
  const Statement statement =
      TRY(prepare(impl_->db.get(), "SELECT key, document FROM documents WHERE kind = ?"));
  TRY(bind_text(impl_->db.get(), statement.get(), 1, kind));
  std::vector<std::pair<std::string, std::string>> rows;
  int rc = 0;
  while ((rc = sqlite3_step(statement.get())) == SQLITE_ROW)
    rows.emplace_back(column(statement.get(), 0), column(statement.get(), 1));
  if (rc != SQLITE_DONE) return sqlite_error(impl_->db.get(), "reading " + kind + " records");
  return rows;
}

namespace {

std::int64_t nanoseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

Status StateStore::append_history(const std::vector<HistoryRow>& rows, std::size_t keep) {
  sqlite3* db = impl_->db.get();
  const auto run = [db](const char* sql) -> Status {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sqlite_error(db, sql);
    return ok_status();
  };
  TRY(run("BEGIN"));
  const auto write = [&]() -> Status {
    const Statement insert =
        TRY(prepare(db, "INSERT INTO history (time, project, document) VALUES (?, ?, ?)"));
    for (const HistoryRow& row : rows) {
      sqlite3_reset(insert.get());
      if (sqlite3_bind_int64(insert.get(), 1, nanoseconds(row.time)) != SQLITE_OK)
        return sqlite_error(db, "bind");
      TRY(bind_text(db, insert.get(), 2, row.project));
      TRY(bind_text(db, insert.get(), 3, row.document));
      if (sqlite3_step(insert.get()) != SQLITE_DONE) return sqlite_error(db, "writing history");
    }
    const Statement trim =
        TRY(prepare(db, "DELETE FROM history WHERE seq <= (SELECT max(seq) FROM history) - ?"));
    sqlite3_bind_int64(trim.get(), 1, static_cast<std::int64_t>(keep));
    if (sqlite3_step(trim.get()) != SQLITE_DONE) return sqlite_error(db, "trimming history");
    return ok_status();
  };
  if (Status written = write(); !written.ok()) {
    (void)run("ROLLBACK");
    return written;
  }
  return run("COMMIT");
}

Result<std::vector<StateStore::HistoryRow>> StateStore::history(const std::string& project,
                                                                WallTime since,
                                                                std::size_t limit) const {
  sqlite3* db = impl_->db.get();
  const Statement statement =
      TRY(prepare(db, project.empty() ? "SELECT time, project, document FROM history WHERE ?1 = '' "
                                        "AND time >= ?2 ORDER BY seq DESC LIMIT ?3"
                                      : "SELECT time, project, document FROM history WHERE project "
                                        "= ?1 AND time >= ?2 ORDER BY "
                                        "seq DESC LIMIT ?3"));
  TRY(bind_text(db, statement.get(), 1, project));
  sqlite3_bind_int64(statement.get(), 2, nanoseconds(since));
  sqlite3_bind_int64(statement.get(), 3, static_cast<std::int64_t>(limit));
  std::vector<HistoryRow> rows;
  int rc = 0;
  while ((rc = sqlite3_step(statement.get())) == SQLITE_ROW) {
    rows.push_back({WallTime(std::chrono::nanoseconds(sqlite3_column_int64(statement.get(), 0))),
                    column(statement.get(), 1), column(statement.get(), 2)});
  }
  if (rc != SQLITE_DONE) return sqlite_error(db, "reading history");
  std::reverse(rows.begin(), rows.end());
  return rows;
}

}  // namespace stack::engine
