"""Adam in one operation for each variable."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015, arXiv 1412.6980), with the numbers and the state of Keras' own.

    That one takes about fifteen operations for each variable. Networks for microcontrollers have
    many small ones, for which starting an operation takes longer than computing it.
    """

    def _backend_update_step(
        self,
        grads: list[tf.Tensor],
        trainable_variables: list[keras.Variable],
        learning_rate: tf.Tensor,
    ) -> None:
        """Move each variable by its gradient, which has its shape."""
        steps = tf.cast(self.iterations.value + 1, tf.float32)
        beta_1_power = tf.pow(self.beta_1, steps)
        beta_2_power = tf.pow(self.beta_2, steps)
        rate = tf.cast(learning_rate, tf.float32)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            place = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=self._momentums[place].value.handle,
                v=self._velocities[place].value.handle,
                beta1_power=beta_1_power,
                beta2_power=beta_2_power,
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=tf.convert_to_tensor(gradient),  # of an embedding: rows of it
            )
