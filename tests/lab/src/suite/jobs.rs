//! The jobs of a test run: the action of each, its needed jobs, and its sets.

/// The sets of jobs
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Set {
    /// Jobs that need neither root nor the lab
    Check,
    /// The same, and every behaviour once on real components
    Test,
    /// The same, and jobs that take too long for daily runs
    All,
}

/// Groups of jobs of which only a few run at once, because more would slow each other down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Jobs that use all processors: one at a time.
    Code,
    /// Groups of tests on real components.
    Lab,
}

impl Lane {
    pub(super) fn places(self) -> usize {
        match self {
            Self::Code => 1,
            Self::Lab => 2,
        }
    }
}

/// The action of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Runs cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// Compiles all tests, and records the paths of their programs.
    Compile,
    /// Has this program build one part of the lab.
    Build(&'static str),
    /// Runs the test programs of these targets, one after the other.
    Tests(&'static [&'static str]),
}

/// One job of a run.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) needs: &'static [&'static str],
    pub(super) set: Set,
    pub(super) work: Work,
    /// Environment variables for its command.
    pub(super) variables: &'static [(&'static str, &'static str)],
}

impl Job {
    /// The lane in which it occupies a place while it runs; `None` for jobs that others wait for.
    pub(super) fn lane(&self) -> Option<Lane> {
        match self.work {
            Work::Compile | Work::Build(_) => None,
            Work::Cargo(_) => Some(Lane::Code),
            Work::Tests(_) if self.set == Set::Check => Some(Lane::Code),
            Work::Tests(_) => Some(Lane::Lab),
        }
    }

    /// How many places of its lane it occupies: the group `cluster` uses all processors, and a node that starts
    /// meanwhile would not be Ready in time.
    pub(super) fn places(&self) -> usize {
        match self.name {
            "cluster" => 2,
            _ => 1,
        }
    }
}

const fn job(name: &'static str, needs: &'static [&'static str], set: Set, work: Work) -> Job {
    Job {
        name,
        needs,
        set,
        work,
        variables: &[],
    }
}

/// A crash test with more rounds than a daily run has time for.
const fn crash_job(
    name: &'static str,
    needs: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
) -> Job {
    let work = Work::Tests(&["tests/crash/main.rs"]);
    Job {
        variables,
        ..job(name, needs, Set::All, work)
    }
}

/// All jobs. Those of a lane start in this order, the longest first.
pub(super) const JOBS: [Job; 22] = [
    job("format", &[], Set::Check, Work::Cargo(&["fmt", "--all", "--check"])),
    // Its lock is apart from the workspace's, and only make test-all runs it.
    job(
        "fuzz-lock",
        &[],
        Set::Check,
        Work::Cargo(&[
            "metadata",
            "--locked",
            "--quiet",
            "--format-version",
            "1",
            "--manifest-path",
            "fuzz/Cargo.toml",
        ]),
    ),
    job("compile", &[], Set::Check, Work::Compile),
    job("image", &[], Set::Test, Work::Build("image")),
    job("rpm-double", &["image"], Set::Test, Work::Build("rpm-double")),
    job("tools", &["image"], Set::Test, Work::Build("tools")),
    job("quota", &["image"], Set::Test, Work::Build("quota")),
    job("kubernetes-1.20", &["image"], Set::Test, Work::Build("1.20")),
    job("node-disk", &["kubernetes-1.20"], Set::Test, Work::Build("nodes")),
    job(
        "kubernetes-latest",
        &["kubernetes-1.20"],
        Set::Test,
        Work::Build("latest"),
    ),
    job(
        "cluster",
        &["compile", "kubernetes-latest", "quota"],
        Set::Test,
        Work::Tests(&["tests/cluster/main.rs"]),
    ),
    job(
        "nodes",
        &["compile", "node-disk"],
        Set::Test,
        Work::Tests(&["tests/nodes/main.rs"]),
    ),
    job(
        "hosts",
        &["compile", "rpm-double", "tools", "quota"],
        Set::Test,
        Work::Tests(&["tests/hosts/main.rs"]),
    ),
    job(
        "crash",
        &["compile", "kubernetes-1.20", "quota"],
        Set::Test,
        Work::Tests(&["tests/crash/main.rs"]),
    ),
    job(
        "unit",
        &["compile"],
        Set::Check,
        Work::Tests(&["src/lib.rs", "tests/lab/src/lib.rs", "tests/lab/src/main.rs"]),
    ),
    job(
        "command",
        &["compile"],
        Set::Check,
        Work::Tests(&["tests/command/main.rs"]),
    ),
    job(
        "clippy",
        &["compile"],
        Set::Check,
        Work::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ),
    job(
        "docs",
        &["compile"],
        Set::Check,
        Work::Cargo(&["doc", "--workspace", "--no-deps", "--quiet"]),
    ),
    crash_job(
        "crash-1.20",
        &["compile", "kubernetes-1.20", "quota"],
        &[("K8S", "1.20"), ("CRASH_ROUNDS", "200")],
    ),
    crash_job(
        "crash-latest",
        &["compile", "kubernetes-latest", "quota"],
        &[("K8S", "latest"), ("CRASH_ROUNDS", "200")],
    ),
    crash_job(
        "two-provisioners",
        &["compile", "kubernetes-latest", "quota"],
        &[("K8S", "latest"), ("CRASH_PAIR_SECONDS", "600")],
    ),
    job(
        "lab",
        &["compile", "kubernetes-latest", "node-disk"],
        Set::All,
        Work::Tests(&["tests/lab/tests/control_plane.rs", "tests/lab/tests/nodes.rs"]),
    ),
];
