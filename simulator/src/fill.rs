//! How a simulator is at its start: the drive filled, everything else new.

use std::io;

use crate::drive;
use crate::drive::person::Person;
use crate::state::{Core, State};

impl Core {
    /// Everything is again as it was at the start; only the certificate authority and the simulator's clock stay.
    ///
    /// # Errors
    /// As [`Simulator::start`](crate::Simulator::start) about the life-like tree.
    pub fn reset(&self) -> io::Result<()> {
        {
            let mut state = self.state();
            let (ahead, last) = (state.clock_ahead, state.service.last_connection);
            *state = State::new(&self.start);
            // Sessions of before stay void, and their connections keep their numbers.
            state.clock_ahead = ahead;
            state.service.last_connection = last;
        }
        self.fill()
    }

    pub(crate) fn fill(&self) -> io::Result<()> {
        drive::seed(self, self.start.seed_items, self.start.seed);
        if self.start.lifelike {
            Person::new(self).fill_lifelike().map_err(io::Error::other)?;
        }
        Ok(())
    }
}
