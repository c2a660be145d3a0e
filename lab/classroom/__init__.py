"""The class as a whole: its queue, its teacher, and following the teacher."""
